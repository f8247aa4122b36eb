package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"time"

	"github.com/cert-manager/cert-manager/pkg/controller"
	"github.com/cert-manager/cert-manager/pkg/healthz"
	"golang.org/x/sync/errgroup"

	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/approver"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificaterequests/vault"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/issuing"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/keymanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/readiness"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/requestmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/revisionmanager"
	_ "github.com/cert-manager/cert-manager/pkg/controller/certificates/trigger"
	_ "github.com/cert-manager/cert-manager/pkg/controller/clusterissuers"
	_ "github.com/cert-manager/cert-manager/pkg/issuer/vault"
)

const (
	workers        = 2
	clockTolerance = 20 * time.Second
)

// Keeps certificates: one process, because its pod is replaced only when it has ended.
func runController(ctx context.Context, o settings, arguments []string) error {
	flags := flag.NewFlagSet("controller", flag.ContinueOnError)
	shortest := flags.Duration("retry-after", time.Minute, "how long after a refusal the next request is made")
	longest := flags.Duration("retry-at-most", 15*time.Minute, "the longest time between two requests")
	if err := o.parse(flags, arguments); err != nil {
		return err
	}
	factory, err := controller.NewContextFactory(ctx, controller.ContextOptions{
		Kubeconfig:         o.kubeconfig,
		KubernetesAPIQPS:   20,
		KubernetesAPIBurst: 50,
		IssuerOptions:      controller.IssuerOptions{ClusterResourceNamespace: o.namespace},
		CertificateOptions: controller.CertificateOptions{
			CopiedAnnotationPrefixes:                 []string{},
			CertificateRequestMinimumBackoffDuration: *shortest,
			CertificateRequestMaximumBackoffDuration: *longest,
		},
	})
	if err != nil {
		return err
	}
	informers, err := factory.Build()
	if err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	for name, construct := range controller.Known() {
		made, err := construct(factory)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		group.Go(func() error { return made.Run(workers, ctx) })
	}
	informers.SharedInformerFactory.Start(ctx.Done())
	informers.KubeSharedInformerFactory.Start(ctx.Done())

	listener, err := net.Listen("tcp", fmt.Sprintf(":%d", o.health))
	if err != nil {
		return err
	}
	group.Go(func() error { return healthz.NewServer(clockTolerance).Start(ctx, listener) })
	return group.Wait()
}
