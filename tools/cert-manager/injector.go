package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"

	"github.com/cert-manager/cert-manager/pkg/controller/cainjector"
	"github.com/cert-manager/cert-manager/pkg/util"
	admission "k8s.io/api/admissionregistration/v1"
	core "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/tools/clientcmd"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/metrics/server"
)

// The name of both configurations of the webhook.
const configurations = "cert-manager-webhook"

// Tells the API server by which authority it knows the webhook: reads one Secret, writes into two configurations, and
// neither sees another Secret nor another configuration.
func runInjector(ctx context.Context, o settings, arguments []string) error {
	if err := o.parse(flag.NewFlagSet("cainjector", flag.ContinueOnError), arguments); err != nil {
		return err
	}
	config, err := clientcmd.BuildConfigFromFlags("", o.kubeconfig)
	if err != nil {
		return err
	}
	scheme := runtime.NewScheme()
	if err := errors.Join(admission.AddToScheme(scheme), core.AddToScheme(scheme)); err != nil {
		return err
	}
	named := func(name string) fields.Selector { return fields.OneTermEqualSelector("metadata.name", name) }
	manager, err := ctrl.NewManager(util.RestConfigWithUserAgent(config, "cainjector"), ctrl.Options{
		Scheme: scheme,
		Cache: cache.Options{ByObject: map[client.Object]cache.ByObject{
			&core.Secret{}: {
				Namespaces: map[string]cache.Config{o.namespace: {FieldSelector: named(authority)}},
			},
			&admission.MutatingWebhookConfiguration{}:   {Field: named(configurations)},
			&admission.ValidatingWebhookConfiguration{}: {Field: named(configurations)},
		}},
		Client:                 client.Options{Cache: &client.CacheOptions{DisableFor: []client.Object{&core.Secret{}}}},
		Metrics:                server.Options{BindAddress: "0"},
		HealthProbeBindAddress: fmt.Sprintf(":%d", o.health),
	})
	if err != nil {
		return err
	}
	if err := manager.AddHealthzCheck("alive", healthz.Ping); err != nil {
		return err
	}
	if err := manager.AddReadyzCheck("injected", isInjected(manager.GetClient())); err != nil {
		return err
	}
	err = cainjector.RegisterAllInjectors(ctx, manager, cainjector.SetupOptions{
		Namespace: o.namespace,
		EnabledReconcilersFor: map[string]bool{
			cainjector.MutatingWebhookConfigurationName:   true,
			cainjector.ValidatingWebhookConfigurationName: true,
		},
	})
	if err != nil {
		return err
	}
	return manager.Start(ctx)
}

// Ready means that the API server can trust the webhook: whoever waits for this pod may declare certificates after it.
func isInjected(reader client.Reader) healthz.Checker {
	return func(request *http.Request) error {
		key := client.ObjectKey{Name: configurations}
		var mutating admission.MutatingWebhookConfiguration
		var validating admission.ValidatingWebhookConfiguration
		if err := errors.Join(
			reader.Get(request.Context(), key, &mutating),
			reader.Get(request.Context(), key, &validating),
		); err != nil {
			return err
		}
		var without []string
		for _, webhook := range mutating.Webhooks {
			if len(webhook.ClientConfig.CABundle) == 0 {
				without = append(without, "mutating "+webhook.Name)
			}
		}
		for _, webhook := range validating.Webhooks {
			if len(webhook.ClientConfig.CABundle) == 0 {
				without = append(without, "validating "+webhook.Name)
			}
		}
		if len(without) > 0 {
			return fmt.Errorf("no authority has been written into %v", without)
		}
		return nil
	}
}
