// Karpenter with simulated machines (its own "kwok" cloud provider): what the program sigs.k8s.io/karpenter/kwok does,
// with two differences. It tells its version, so that a build can be checked. And a machine tells its whole size, as a
// real one does: there it tells what its first pods asked for, and the limits of a NodePool would count too little.
package main

import (
	"context"
	"fmt"
	"os"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	kwok "sigs.k8s.io/karpenter/kwok/cloudprovider"
	karpenter "sigs.k8s.io/karpenter/pkg/apis/v1"
	"sigs.k8s.io/karpenter/pkg/cloudprovider/overlay"
	"sigs.k8s.io/karpenter/pkg/controllers"
	"sigs.k8s.io/karpenter/pkg/controllers/state"
	"sigs.k8s.io/karpenter/pkg/operator"
)

// The capacity of each kind of machine, by its name.
type sizes map[string]corev1.ResourceList

func (s sizes) of(machine client.Object) corev1.ResourceList {
	return s[machine.GetLabels()[corev1.LabelInstanceTypeStable]].DeepCopy()
}

type provider struct {
	*kwok.CloudProvider
	sizes sizes
}

func (p provider) Create(ctx context.Context, claim *karpenter.NodeClaim) (*karpenter.NodeClaim, error) {
	made, err := p.CloudProvider.Create(ctx, claim)
	if err == nil {
		made.Status.Capacity = p.sizes.of(made)
	}
	return made, err
}

// The client with which the provider registers its machines as nodes.
type registration struct {
	client.Client
	sizes sizes
}

func (r registration) Create(ctx context.Context, object client.Object, options ...client.CreateOption) error {
	if node, ok := object.(*corev1.Node); ok {
		// A copy: the provider still reads its own.
		node = node.DeepCopy()
		node.Status.Capacity = r.sizes.of(node)
		object = node
	}
	return r.Client.Create(ctx, object, options...)
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println("karpenter-kwok", operator.Version)
		return
	}
	ctx, op := operator.NewOperator()
	machines, err := kwok.ConstructInstanceTypes(ctx)
	if err != nil {
		log.FromContext(ctx).Error(err, "the kinds of machines cannot be read")
		os.Exit(1)
	}
	sizes := sizes{}
	for _, machine := range machines {
		sizes[machine.Name] = machine.Capacity
	}
	cloud := provider{kwok.NewCloudProvider(ctx, registration{op.GetClient(), sizes}, machines), sizes}
	decorated := overlay.Decorate(cloud, op.GetClient(), op.InstanceTypeStore)
	cluster := state.NewCluster(op.Clock, op.GetClient(), decorated)
	op.WithControllers(ctx, controllers.NewControllers(
		ctx, op.Manager, op.Clock, op.GetClient(), op.EventRecorder, decorated, cloud, cluster, op.InstanceTypeStore,
	)...).Start(ctx)
}
