// cert-manager with what a Palisade fleet uses and nothing else: the issuer is Vault, and there is no ACME, no Gateway,
// no certificate authority in the cluster and no self-signed certificate that anybody could fall back to.
//
// Its commands are modules of their own that no module proxy serves. This module is named below theirs, as those are,
// because the admission rules of the webhook are internal packages.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/util"
	"k8s.io/klog/v2"
	ctrl "sigs.k8s.io/controller-runtime"
)

// What every program is told.
type settings struct {
	kubeconfig string
	namespace  string
	health     int
}

var programs = map[string]func(context.Context, settings, []string) error{
	"controller": runController,
	"webhook":    runWebhook,
	"cainjector": runInjector,
}

const usage = "usage: cert-manager controller|webhook|cainjector [flags], or cert-manager --version"

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("cert-manager", util.AppVersion)
		return
	}
	logs.InitLogs()
	ctrl.SetLogger(logs.Log)
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) < 2 || programs[os.Args[1]] == nil {
		return errors.New(usage)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	return programs[os.Args[1]](logs.NewContext(ctx, logs.Log, os.Args[1]), settings{}, os.Args[2:])
}

// Reads the flags that all programs have, and those that the caller has added.
func (o *settings) parse(flags *flag.FlagSet, arguments []string) error {
	flags.StringVar(&o.kubeconfig, "kubeconfig", "", "how to reach the cluster; empty in a pod")
	flags.StringVar(&o.namespace, "namespace", "", "the namespace that the program itself is in")
	flags.IntVar(&o.health, "health-port", 9403, "the port on which the kubelet asks whether it lives")
	klog.InitFlags(flags)
	if err := flags.Parse(arguments); err != nil {
		return err
	}
	if o.namespace == "" || flags.NArg() > 0 {
		return fmt.Errorf("--namespace is needed, and nothing beside flags; %s", usage)
	}
	return nil
}

// A flag with several values, separated by commas.
type list []string

func (l *list) String() string { return strings.Join(*l, ",") }

func (l *list) Set(text string) error {
	*l = append(*l, strings.Split(text, ",")...)
	return nil
}
