// What promtool checks, without its service discoveries, whose build takes many minutes: rules, metrics and queries.
// And a dashboard by Grafana's own schema.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

// monitoring rules FILE; the others are read from standard input. Each complaint is a line, and makes the exit code 1.
func main() {
	checks := map[string]func() []string{"rules": rules, "metrics": metrics, "queries": queries, "dashboard": dashboards}
	complaints := checks[os.Args[1]]()
	for _, complaint := range complaints {
		fmt.Println(complaint)
	}
	if len(complaints) > 0 {
		os.Exit(1)
	}
}

func rules() (complaints []string) {
	_, errs := rulefmt.ParseFile(os.Args[2], false, model.UTF8Validation)
	for _, err := range errs {
		complaints = append(complaints, err.Error())
	}
	return complaints
}

func metrics() (complaints []string) {
	problems, err := promlint.New(os.Stdin).Lint()
	if err != nil {
		return []string{err.Error()}
	}
	for _, problem := range problems {
		complaints = append(complaints, problem.Metric+": "+problem.Text)
	}
	return complaints
}

func queries() (complaints []string) {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if _, err := parser.ParseExpr(lines.Text()); err != nil {
			complaints = append(complaints, lines.Text()+": "+err.Error())
		}
	}
	return complaints
}

func dashboards() []string {
	plugins.RegisterDefaultPlugins()
	text, err := io.ReadAll(os.Stdin)
	if err == nil {
		err = new(dashboard.Dashboard).UnmarshalJSONStrict(text)
	}
	// Without any complaint it is an empty list, which is not nil.
	if err != nil && err.Error() != "" {
		return []string{err.Error()}
	}
	return nil
}
