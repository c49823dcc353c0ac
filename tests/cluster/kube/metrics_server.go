package main

import (
	"context"

	"github.com/spf13/cobra"
	apinames "k8s.io/apiserver/pkg/endpoints/openapi"
	genericapiserver "k8s.io/apiserver/pkg/server"
	"k8s.io/kubernetes/pkg/generated/openapi"
	"sigs.k8s.io/metrics-server/cmd/metrics-server/app/options"
	"sigs.k8s.io/metrics-server/pkg/api"
)

// newMetricsServer is metrics-server's own command, but for the descriptions of its types. Those that it brings are of
// the Kubernetes that it was released for and cannot be found by this one's names; Kubernetes has the same of its own.
func newMetricsServer() *cobra.Command {
	settings := options.NewOptions()
	command := &cobra.Command{
		Use:          "metrics-server",
		SilenceUsage: true,
		RunE: func(command *cobra.Command, _ []string) error {
			return runMetricsServer(genericapiserver.SetupSignalContext(), settings)
		},
	}
	flags := settings.Flags()
	for _, set := range flags.FlagSets {
		command.Flags().AddFlagSet(set)
	}
	return command
}

func runMetricsServer(ended context.Context, settings *options.Options) error {
	if wrong := settings.Validate(); len(wrong) > 0 {
		return wrong[0]
	}
	config, err := settings.ServerConfig()
	if err != nil {
		return err
	}
	describe, names := openapi.GetOpenAPIDefinitions, apinames.NewDefinitionNamer(api.Scheme)
	config.Apiserver.OpenAPIConfig = genericapiserver.DefaultOpenAPIConfig(describe, names)
	config.Apiserver.OpenAPIV3Config = genericapiserver.DefaultOpenAPIV3Config(describe, names)
	server, err := config.Complete()
	if err != nil {
		return err
	}
	return server.RunUntil(ended.Done())
}
