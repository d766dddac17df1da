//go:build tools

// Package tools pins helm and kustomize, which the tests of the chart build.
package tools

import (
	_ "helm.sh/helm/v3/cmd/helm"
	_ "sigs.k8s.io/kustomize/kustomize/v5"
)
