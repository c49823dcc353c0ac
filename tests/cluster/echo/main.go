// Command echo is the service under load: each pod says who it is in every way that Scale can count by, and keeps its
// own truth to compare with.
//
//	port 8080
//	  GET /metrics  requests by status, in Prometheus' format
//	  GET /healthz  ready, once READY_AFTER has passed
//	  any other     counted, logged, answered; ?code=503 and ?delay=50ms change the answer
//	port 8081, which outlives the other for a moment so that also a pod that ends can be asked
//	  GET /truth    {"pod", "started", "requests", "connections", "by_code"}: what was really answered
//	  GET /crash    says the truth a last time and dies, with connections open and requests in hand
//
// Environment: POD_NAME; LOG=common|combined|json|bars|none; NAMELESS=1 answers without header, field and metrics;
// READY_AFTER=5s; DRAIN=2s is how long a pod that is told to end goes on answering.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const lastWords = 3 * time.Second // in which an ended pod still says its truth

type pod struct {
	name        string
	nameless    bool
	logFormat   string
	readyAt     time.Time
	started     time.Time
	connections atomic.Int64
	dying       sync.RWMutex
	mutex       sync.Mutex
	byCode      map[int]int64
}

func main() {
	self := &pod{
		name:      os.Getenv("POD_NAME"),
		nameless:  os.Getenv("NAMELESS") != "",
		logFormat: os.Getenv("LOG"),
		readyAt:   time.Now().Add(span("READY_AFTER", 0)),
		started:   time.Now(),
		byCode:    map[int]int64{},
	}
	if self.name == "" {
		self.name, _ = os.Hostname()
	}
	paths := http.NewServeMux()
	paths.HandleFunc("/healthz", self.health)
	if self.nameless { // not counted: whoever looks for a page of metrics is no client
		for _, usual := range []string{"/metrics", "/actuator/prometheus", "/q/metrics"} {
			paths.HandleFunc(usual, http.NotFound)
		}
	} else {
		paths.HandleFunc("/metrics", self.metrics)
	}
	paths.HandleFunc("/", self.answer)
	server := &http.Server{Addr: ":8080", Handler: paths, ConnState: self.connection}
	go endWhenTold(server, span("DRAIN", 2*time.Second))
	go self.confess()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	select {} // until endWhenTold is done
}

func (p *pod) confess() {
	paths := http.NewServeMux()
	paths.HandleFunc("/truth", func(w http.ResponseWriter, _ *http.Request) { p.truth(w) })
	paths.HandleFunc("/crash", func(w http.ResponseWriter, _ *http.Request) {
		p.dying.Lock() // never unlocked: nothing is answered after what is said now
		p.truth(w)
		w.(http.Flusher).Flush()
		os.Exit(137)
	})
	log.Fatal(http.ListenAndServe(":8081", paths))
}

func (p *pod) answer(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	code := http.StatusOK
	if asked, err := strconv.Atoi(r.URL.Query().Get("code")); err == nil && asked >= 200 && asked < 600 {
		code = asked
	}
	if delay, err := time.ParseDuration(r.URL.Query().Get("delay")); err == nil && delay < 10*time.Second {
		time.Sleep(delay)
	}
	p.dying.RLock()
	defer p.dying.RUnlock()
	p.mutex.Lock()
	p.byCode[code]++
	p.mutex.Unlock()
	body := []byte("ok\n")
	if !p.nameless {
		w.Header().Set("X-Pod-Name", p.name)
		w.Header().Set("Content-Type", "application/json")
		body, _ = json.Marshal(map[string]any{"pod": p.name, "path": r.URL.Path})
	}
	w.WriteHeader(code)
	w.Write(body)
	p.log(r, code, len(body), began)
}

func (p *pod) log(r *http.Request, code, size int, began time.Time) {
	address, _, _ := net.SplitHostPort(r.RemoteAddr)
	at := began.Format("02/Jan/2006:15:04:05 -0700")
	line := fmt.Sprintf("%s - - [%s] %q %d %d", address, at, r.Method+" "+r.RequestURI+" "+r.Proto, code, size)
	switch p.logFormat {
	case "none":
		return
	case "combined":
		line += fmt.Sprintf(" %q %q", "-", r.UserAgent())
	case "bars": // nobody's format: read by a pattern of the user's
		line = fmt.Sprintf("%s|%s|%d|%s|%s", address, r.Method+" "+r.RequestURI+" "+r.Proto, code, r.UserAgent(), at)
	case "json":
		encoded, _ := json.Marshal(map[string]any{
			"time": began.Format(time.RFC3339Nano), "method": r.Method, "path": r.RequestURI, "status": code,
			"remote_addr": address, "user_agent": r.UserAgent(), "duration_ms": time.Since(began).Seconds() * 1000,
		})
		line = string(encoded)
	}
	os.Stdout.WriteString(line + "\n") // one write a line, so lines of different requests never mix
}

func (p *pod) counted() (map[int]int64, int64) {
	p.mutex.Lock()
	defer p.mutex.Unlock()
	copied, all := map[int]int64{}, int64(0)
	for code, requests := range p.byCode {
		copied[code] = requests
		all += requests
	}
	return copied, all
}

func (p *pod) truth(w http.ResponseWriter) {
	byCode, all := p.counted()
	body, _ := json.Marshal(map[string]any{
		"pod": p.name, "started": p.started.UnixNano(), "requests": all, "connections": p.connections.Load(),
		"by_code": byCode,
	})
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(body))) // complete without the end of the answer
	w.Write(body)
}

func (p *pod) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
	byCode, _ := p.counted()
	fmt.Fprint(w, "# HELP http_requests_total Requests answered.\n# TYPE http_requests_total counter\n")
	for code, requests := range byCode {
		fmt.Fprintf(w, "http_requests_total{code=\"%d\"} %d\n", code, requests)
	}
	fmt.Fprint(w, "# HELP process_start_time_seconds Start of the process.\n# TYPE process_start_time_seconds gauge\n")
	fmt.Fprintf(w, "process_start_time_seconds %.3f\n", float64(p.started.UnixMilli())/1000)
}

func (p *pod) health(w http.ResponseWriter, _ *http.Request) {
	if time.Now().Before(p.readyAt) {
		http.Error(w, "not yet", http.StatusServiceUnavailable)
		return
	}
	fmt.Fprintln(w, "ok")
}

func (p *pod) connection(_ net.Conn, state http.ConnState) {
	if state == http.StateNew {
		p.connections.Add(1)
	}
}

// endWhenTold goes on answering for a while, since the news that a pod ends needs time to reach every node.
func endWhenTold(server *http.Server, drain time.Duration) {
	told := make(chan os.Signal, 1)
	signal.Notify(told, syscall.SIGTERM, syscall.SIGINT)
	<-told
	time.Sleep(drain)
	limited, cancel := context.WithTimeout(context.Background(), 3*time.Second)
	defer cancel()
	server.Shutdown(limited)
	time.Sleep(lastWords)
	os.Exit(0)
}

func span(name string, otherwise time.Duration) time.Duration {
	if given, err := time.ParseDuration(os.Getenv(name)); err == nil {
		return given
	}
	return otherwise
}
