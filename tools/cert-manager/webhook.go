package main

import (
	"context"
	"flag"

	"github.com/cert-manager/cert-manager/internal/webhook"
	"github.com/cert-manager/cert-manager/pkg/logs"
	"github.com/cert-manager/cert-manager/pkg/webhook/options"
)

// Where the webhook keeps the authority that signs what it serves with; the injector reads the certificate from there.
const authority = "cert-manager-webhook-ca"

// Refuses objects that make no sense, and writes into each request who has made it.
func runWebhook(ctx context.Context, o settings, arguments []string) error {
	flags := flag.NewFlagSet("webhook", flag.ContinueOnError)
	port := flags.Int("port", 10250, "the port on which the API server asks")
	var names list
	flags.Var(&names, "names", "the names under which the API server knows the webhook")
	if err := o.parse(flags, arguments); err != nil {
		return err
	}
	configuration, err := options.NewWebhookConfiguration()
	if err != nil {
		return err
	}
	configuration.KubeConfig = o.kubeconfig
	configuration.SecurePort = int32(*port)
	configuration.HealthzPort = int32(o.health)
	configuration.MetricsListenAddress = "0"
	configuration.TLSConfig.MinTLSVersion = "VersionTLS13"
	configuration.TLSConfig.Dynamic.SecretNamespace = o.namespace
	configuration.TLSConfig.Dynamic.SecretName = authority
	configuration.TLSConfig.Dynamic.DNSNames = names
	server, err := webhook.NewCertManagerWebhookServer(logs.Log, *configuration)
	if err != nil {
		return err
	}
	return server.Run(ctx)
}
