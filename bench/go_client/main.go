// Measures the exporter's requests in Go: it sends the same ones, and decodes the JSON of the replies.
//
// It requests the list of tenants and a token for each OAuth2 tenant. Then a line "poll ROUNDS" on standard input
// makes it request the five resources of each tenant so often; it answers with a line of JSON. Arguments: base URL,
// account key, requests in flight, and "kept" or "new" connections.
package main

import (
	"bufio"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
)

const prefix = "/v2/interop"

var paths = []string{
	"/tenant/state", "/ingestions?page=0", "/tenant/schedules?page=0", "/tenant/rollovers?page=0", "/tenant/application",
}

type tenant struct {
	Auth struct {
		Type     string `json:"type"`
		ClientID string `json:"client_id"`
		Secret   string `json:"client_secret"`
	} `json:"auth"`
}

type page struct {
	Data   []*tenant `json:"data"`
	Paging *struct {
		Next any `json:"next"`
	} `json:"paging"`
}

var (
	client   *http.Client
	base     string
	requests atomic.Int64
)

func main() {
	base = os.Args[1]
	inFlight, err := strconv.Atoi(os.Args[3])
	check(err)
	client = &http.Client{Transport: &http.Transport{
		MaxIdleConnsPerHost: inFlight, DisableKeepAlives: os.Args[4] == "new",
	}}
	headers := authorizations(basic(os.Args[2], os.Args[2]))
	fmt.Println("{}")
	input := bufio.NewScanner(os.Stdin)
	for input.Scan() {
		rounds, err := strconv.Atoi(strings.TrimPrefix(input.Text(), "poll "))
		check(err)
		sent, began := requests.Load(), cpuSeconds()
		for range rounds {
			poll(headers, inFlight)
		}
		fmt.Printf("{\"requests\": %d, \"cpu\": %f}\n", requests.Load()-sent, cpuSeconds()-began)
	}
}

// poll requests the five resources of each tenant, with so many requests in flight.
func poll(headers []string, inFlight int) {
	work := make(chan string)
	var done sync.WaitGroup
	for range inFlight {
		done.Add(1)
		go func() {
			defer done.Done()
			for header := range work {
				for _, path := range paths {
					var reply any
					get(path, header, &reply)
				}
			}
		}()
	}
	for _, header := range headers {
		work <- header
	}
	close(work)
	done.Wait()
}

// authorizations returns the Authorization header of each tenant, with a new token if its credentials are OAuth2.
func authorizations(account string) []string {
	var headers []string
	for number := 0; ; number++ {
		var listed page
		get(fmt.Sprintf("/tenants?page=%d", number), account, &listed)
		for _, each := range listed.Data {
			if each != nil {
				headers = append(headers, authorization(each))
			}
		}
		if listed.Paging == nil || listed.Paging.Next == nil {
			return headers
		}
	}
}

func authorization(of *tenant) string {
	if of.Auth.Type == "basic" {
		return basic(of.Auth.ClientID, of.Auth.Secret)
	}
	form := url.Values{
		"grant_type": {"client_credentials"}, "client_id": {of.Auth.ClientID}, "client_secret": {of.Auth.Secret},
	}
	reply, err := client.PostForm(base+"/oauth/token", form)
	check(err)
	var token struct {
		Value string `json:"access_token"`
	}
	read(reply, &token)
	return "Bearer " + token.Value
}

// get requests a path. 403 and 404 are valid: some tenants have no application.
func get(path, header string, into any) {
	request, err := http.NewRequest(http.MethodGet, base+prefix+path, nil)
	check(err)
	request.Header.Set("Authorization", header)
	reply, err := client.Do(request)
	check(err)
	if reply.StatusCode != 200 && reply.StatusCode != 403 && reply.StatusCode != 404 {
		panic(fmt.Sprintf("GET %s returned %d", path, reply.StatusCode))
	}
	read(reply, into)
}

func read(reply *http.Response, into any) {
	requests.Add(1)
	body, err := io.ReadAll(reply.Body)
	check(err)
	check(reply.Body.Close())
	check(json.Unmarshal(body, into))
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	check(syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return seconds(usage.Utime) + seconds(usage.Stime)
}

func seconds(of syscall.Timeval) float64 {
	return float64(of.Sec) + float64(of.Usec)/1e6
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}
