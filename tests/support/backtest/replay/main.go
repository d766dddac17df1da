// What would Prometheus have said?
//
// Reads scrapes from standard input, appends them to a real Prometheus database exactly as a scraping Prometheus
// does (staleness markers and the `up` series included), evaluates the rule groups at the moments at which
// Prometheus would have evaluated them, and writes each alert that fired to standard output.
//
// It is Prometheus' own library: its database, its query engine, its rule groups. Only time is ours.
//
// Input, one line each; times are Unix seconds, ids are small integers:
//
//	S <id> <series>         a new series; its label instance, if it has one, names the exporter that exposes it
//	V <id> <value>          its value from the next scrape on
//	D <id>                  it is no longer exposed
//	T <time> [<instance>]   a scrape succeeded: everything that the instance exposes now has a sample at that time
//	X <time> [<instance>]   a scrape failed
//	P <time>                Prometheus stopped; it starts again shortly before the next scrape
//
// Output, one JSON object a line: {"alert", "labels", "from", "to"} for each time that an alert fired ("to" is
// null if it still does), {"rule", "error", "at"} the first time that a rule could not be evaluated, and at last
// {"group", "evaluations", "mean", "worst"}, in seconds, for each rule group, and {"scrapes", "samples", "series",
// "evaluations"}.
//
// With -copies each tenant stands for so many: its series are appended under as many ids and names. The exporter's
// own series and the fleet's histogram stay as they are. With -replicas so many exporters are scraped at the same
// moment and have the same page, `up` included: they differ in the label instance. (Replicas that differ in what they
// expose are instances of their own in the input.)
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/go-kit/log"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/value"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/rules"
	"github.com/prometheus/prometheus/storage"
	"github.com/prometheus/prometheus/tsdb"
)

const (
	// Prometheus writes a block every two hours. Queries are quicker when fewer lie beside the head.
	blockDuration = 24 * time.Hour
	// Memory is cheaper here than the time to collect it.
	garbagePercent = 400
	longestLine    = 1 << 20
	keptForever    = 10 * 365 * 24 * time.Hour
	engineSamples  = 50_000_000 // Prometheus' own default
	tenantLabel    = "tenant_id"
	tenantCount    = "kimono_tenants"
)

// What differs between the copies of a tenant, and what stands before their number.
var copied = map[string]string{
	tenantLabel: "-", "account_id": "-", "cloud_id": "-",
	"tenant_name": " ", "account_name": " ", "cloud_name": " ",
}

// instance is one scraped exporter: its `up`, and what it exposes.
type instance struct {
	name   string
	up     *series
	series []*series
}

// series is one line of the page, under one name or several.
type series struct {
	names   []name
	value   float64
	times   float64 // what counts tenants counts their copies
	present bool
	stale   bool // its newest sample is a value: when it vanishes, a marker is due
}

// name is what the database knows a series by.
type name struct {
	labels labels.Labels
	ref    storage.SeriesRef
}

// firing is one alert that fires now.
type firing struct {
	labels labels.Labels
	from   time.Time
}

// replay is a Prometheus whose clock is the recording.
type replay struct {
	ctx         context.Context
	db          *tsdb.DB
	groups      []*group
	series      []*series
	instances   map[string]*instance
	job         string
	unnamed     string // the instance of what names none
	replicas    int
	copies      int
	load        func() error // loads the rules, as a Prometheus that starts does
	stopped     bool
	firing      map[*rules.AlertingRule]map[string]*firing
	broken      map[string]bool
	out         *json.Encoder
	nextCompact time.Time
	scrapes     int
	samples     int
	evaluations int
}

// group is a rule group and the moment of its next evaluation.
type group struct {
	*rules.Group
	every       time.Duration
	next        time.Time
	started     int // evaluations since Prometheus started
	evaluations int
	took        time.Duration
	worst       time.Duration
}

func main() {
	ruleFile := flag.String("rules", "", "the rule file")
	data := flag.String("data", "", "an empty folder for the database")
	job := flag.String("job", "kimono", "the label job of all series")
	unnamed := flag.String("instance", "localhost:10120", "the label instance of series without one; further replicas add a number")
	interval := flag.Duration("interval", 0, "evaluate groups so often; 0 for as often as the rules say")
	copies := flag.Int("copies", 1, "how many tenants each tenant of the recording stands for")
	replicas := flag.Int("replicas", 1, "how many exporters are scraped that have the page of the recording")
	keep := flag.Bool("keep", false, "leave a whole database behind, which a Prometheus can be started on")
	flag.Parse()
	debug.SetGCPercent(garbagePercent)
	r := &replay{
		ctx:       context.Background(),
		instances: map[string]*instance{},
		job:       *job,
		unnamed:   *unnamed,
		replicas:  *replicas,
		copies:    *copies,
		firing:    map[*rules.AlertingRule]map[string]*firing{},
		broken:    map[string]bool{},
	}
	if err := r.run(*ruleFile, *data, *interval, *keep, os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func (r *replay) run(ruleFile, data string, interval time.Duration, keep bool, in io.Reader, out io.Writer) (err error) {
	options := tsdb.DefaultOptions()
	options.WALSegmentSize = -1 // nobody will restart us
	options.MinBlockDuration = blockDuration.Milliseconds()
	options.MaxBlockDuration = blockDuration.Milliseconds()
	options.RetentionDuration = keptForever.Milliseconds()
	options.IsolationDisabled = true // one writer, who waits for the readers
	options.NoLockfile = true
	if r.db, err = tsdb.Open(data, log.NewNopLogger(), nil, options, nil); err != nil {
		return err
	}
	r.db.DisableCompactions() // they come when our clock says so
	buffered := bufio.NewWriter(out)
	r.out = json.NewEncoder(buffered)
	r.load = func() error { return r.loadRules(ruleFile, interval) }
	if err := r.load(); err != nil {
		return err
	}
	// There is nothing to restore at the first start. Until that is said, an alerting rule leaves no ALERTS behind.
	for _, each := range r.groups {
		setRestored(each)
	}
	if err := r.read(in); err != nil {
		return err
	}
	r.finish()
	if err := buffered.Flush(); err != nil {
		return err
	}
	if keep {
		// Without a write-ahead log what is in memory would be lost.
		head := r.db.Head()
		if err := r.db.CompactHead(tsdb.NewRangeHead(head, head.MinTime(), head.MaxTime())); err != nil {
			return err
		}
	}
	return r.db.Close()
}

func (r *replay) loadRules(ruleFile string, interval time.Duration) error {
	engine := promql.NewEngine(promql.EngineOpts{
		MaxSamples:           engineSamples,
		Timeout:              2 * time.Minute,
		EnableAtModifier:     true,
		EnableNegativeOffset: true,
	})
	manager := rules.NewManager(&rules.ManagerOptions{
		QueryFunc:  rules.EngineQueryFunc(engine, r.db),
		NotifyFunc: func(context.Context, string, ...*rules.Alert) {},
		Context:    r.ctx,
		Appendable: r.db,
		Queryable:  r.db,
		Logger:     log.NewNopLogger(),
		// Prometheus' own defaults.
		OutageTolerance: time.Hour,
		ForGracePeriod:  10 * time.Minute,
	})
	loaded, errs := manager.LoadGroups(time.Minute, labels.EmptyLabels(), "", nil, ruleFile)
	for _, err := range errs {
		return err
	}
	r.groups = nil
	for _, each := range loaded {
		every := each.Interval()
		if interval > 0 {
			every = interval
		}
		r.groups = append(r.groups, &group{Group: each, every: every})
	}
	return nil
}

// read lives through the recording.
func (r *replay) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(make([]byte, longestLine), longestLine)
	for lines.Scan() {
		if err := r.take(lines.Text()); err != nil {
			return fmt.Errorf("%q: %w", lines.Text(), err)
		}
	}
	return lines.Err()
}

func (r *replay) take(line string) error {
	if len(line) < 3 {
		return fmt.Errorf("a line too short")
	}
	first, rest, _ := strings.Cut(line[2:], " ")
	switch line[0] {
	case 'S':
		return r.define(rest)
	case 'T', 'X', 'P':
		seconds, err := strconv.ParseFloat(first, 64)
		if err != nil {
			return err
		}
		at := time.UnixMilli(int64(math.Round(seconds * 1000)))
		if line[0] == 'P' {
			r.stop(at)
			return nil
		}
		return r.scrape(r.instance(rest), at, line[0] == 'T')
	}
	id, err := strconv.Atoi(first)
	if err != nil || id < 0 || id >= len(r.series) {
		return fmt.Errorf("no such series")
	}
	one := r.series[id]
	if line[0] == 'D' {
		one.present = false
		return nil
	}
	one.present = true
	one.value, err = strconv.ParseFloat(rest, 64)
	return err
}

func (r *replay) define(text string) error {
	metric, err := parser.ParseMetric(text)
	if err != nil {
		return err
	}
	target := r.instance(metric.Get(labels.InstanceName))
	one := &series{names: r.scraped(target.name, metric), times: 1}
	if metric.Has(tenantLabel) {
		for number := 2; number <= r.copies; number++ {
			one.names = append(one.names, r.scraped(target.name, another(metric, number))...)
		}
	}
	if metric.Get(labels.MetricName) == tenantCount {
		one.times = float64(r.copies)
	}
	r.series = append(r.series, one)
	target.series = append(target.series, one)
	return nil
}

// instance is the exporter of this name; empty for the one that has none.
func (r *replay) instance(name string) *instance {
	if name == "" {
		name = r.unnamed
	}
	if r.instances[name] == nil {
		up := &series{names: r.scraped(name, labels.FromStrings(labels.MetricName, "up"))}
		r.instances[name] = &instance{name: name, up: up}
	}
	return r.instances[name]
}

// scraped are the names under which the database gets to know a series of an instance: one for each replica.
func (r *replay) scraped(instance string, metric labels.Labels) []name {
	names := make([]name, 0, r.replicas)
	for number := 1; number <= r.replicas; number++ {
		replica := instance
		if number > 1 {
			replica += "-" + strconv.Itoa(number)
		}
		builder := labels.NewBuilder(metric).Set("job", r.job).Set(labels.InstanceName, replica)
		names = append(names, name{labels: builder.Labels(labels.EmptyLabels())})
	}
	return names
}

// another is the same of a copy of the tenant.
func another(metric labels.Labels, number int) labels.Labels {
	builder := labels.NewBuilder(metric)
	for label, before := range copied {
		if text := metric.Get(label); text != "" {
			builder.Set(label, text+before+strconv.Itoa(number))
		}
	}
	return builder.Labels(labels.EmptyLabels())
}

// stop ends the process: what it had in memory is gone, and Alertmanager resolves what it no longer hears of.
func (r *replay) stop(at time.Time) {
	r.evaluateUntil(at)
	for _, alerts := range r.firing {
		for _, one := range alerts {
			r.fired(one, seconds(at))
		}
	}
	r.firing = map[*rules.AlertingRule]map[string]*firing{}
	r.groups = nil
	r.stopped = true
}

// scrape evaluates what was due before this moment, and then appends what the instance exposes.
func (r *replay) scrape(target *instance, at time.Time, ok bool) error {
	if r.stopped {
		r.stopped = false
		if err := r.load(); err != nil {
			return err
		}
	}
	r.evaluateUntil(at)
	r.scrapes++
	appender := r.db.Appender(r.ctx)
	target.up.value = 0
	if ok {
		target.up.value = 1
	}
	if err := r.append(appender, target.up, at, target.up.value); err != nil {
		return err
	}
	for _, one := range target.series {
		var err error
		switch {
		case ok && one.present:
			err = r.append(appender, one, at, one.value*one.times)
			one.stale = true
		case one.stale:
			err = r.append(appender, one, at, math.Float64frombits(value.StaleNaN))
			one.stale = false
		}
		if err != nil {
			return err
		}
	}
	if err := appender.Commit(); err != nil {
		return err
	}
	return r.compact(at)
}

func (r *replay) append(appender storage.Appender, one *series, at time.Time, v float64) (err error) {
	for i := range one.names {
		each := &one.names[i]
		if each.ref, err = appender.Append(each.ref, each.labels, at.UnixMilli(), v); err != nil {
			return err
		}
	}
	r.samples += len(one.names)
	return nil
}

func (r *replay) compact(at time.Time) error {
	if r.nextCompact.IsZero() {
		r.nextCompact = at.Add(blockDuration)
	}
	if at.Before(r.nextCompact) {
		return nil
	}
	r.nextCompact = r.nextCompact.Add(blockDuration)
	return r.db.Compact()
}

// evaluateUntil evaluates each group at the moments of its own, as Prometheus spreads them, in the order of time.
func (r *replay) evaluateUntil(at time.Time) {
	for {
		var due *group
		for _, each := range r.groups {
			if each.next.IsZero() {
				each.next = each.EvalTimestamp(at.UnixNano()).Add(each.every)
			}
			if due == nil || each.next.Before(due.next) {
				due = each
			}
		}
		if due == nil || !due.next.Before(at) {
			return
		}
		r.evaluate(due)
		due.next = due.next.Add(due.every)
	}
}

func (r *replay) evaluate(due *group) {
	begun := time.Now()
	due.Eval(r.ctx, due.next)
	took := time.Since(begun)
	// Prometheus restores what alerts waited for after the second evaluation, when targets have been scraped.
	if due.started++; due.started == 2 {
		due.RestoreForState(due.next)
		setRestored(due)
	}
	r.evaluations++
	due.evaluations++
	due.took += took
	if took > due.worst {
		due.worst = took
	}
	for _, rule := range due.Rules() {
		name := rule.Name()
		if err := rule.LastError(); err != nil && !r.broken[name] {
			r.broken[name] = true
			r.write(map[string]interface{}{"rule": name, "error": err.Error(), "at": seconds(due.next)})
		}
	}
	for _, rule := range due.AlertingRules() {
		r.watch(rule, due.next)
	}
}

// watch notes which alerts of a rule began to fire, and which ceased to.
func (r *replay) watch(rule *rules.AlertingRule, at time.Time) {
	now := map[string]bool{}
	rule.ForEachActiveAlert(func(alert *rules.Alert) {
		if alert.State != rules.StateFiring {
			return
		}
		key := alert.Labels.String()
		now[key] = true
		if r.firing[rule][key] == nil {
			if r.firing[rule] == nil {
				r.firing[rule] = map[string]*firing{}
			}
			r.firing[rule][key] = &firing{labels: alert.Labels, from: at}
		}
	})
	for key, one := range r.firing[rule] {
		if !now[key] {
			r.fired(one, seconds(at))
			delete(r.firing[rule], key)
		}
	}
}

// setRestored says that nothing is left to restore.
func setRestored(each *group) {
	for _, rule := range each.AlertingRules() {
		rule.SetRestored(true)
	}
}

// finish writes what still fires, and the figures.
func (r *replay) finish() {
	for _, alerts := range r.firing {
		for _, one := range alerts {
			r.fired(one, nil)
		}
	}
	for _, each := range r.groups {
		if each.evaluations > 0 {
			mean := each.took.Seconds() / float64(each.evaluations)
			r.write(map[string]interface{}{
				"group": each.Name(), "evaluations": each.evaluations, "mean": mean, "worst": each.worst.Seconds(),
			})
		}
	}
	kept := 0
	for _, one := range r.series {
		kept += len(one.names)
	}
	r.write(map[string]interface{}{
		"scrapes": r.scrapes, "samples": r.samples, "series": kept, "evaluations": r.evaluations,
	})
}

func (r *replay) fired(one *firing, to interface{}) {
	shown := one.labels.Map()
	name := shown[labels.AlertName]
	delete(shown, labels.AlertName)
	r.write(map[string]interface{}{"alert": name, "labels": shown, "from": seconds(one.from), "to": to})
}

func (r *replay) write(what interface{}) {
	if err := r.out.Encode(what); err != nil {
		panic(err) // nobody listens
	}
}

func seconds(at time.Time) float64 {
	return float64(at.UnixMilli()) / 1000
}
