// Stands in for Argo CD's repo-server: the real config management plugin server with a plugin.yaml, and the client that
// asks it, with the environment the repo-server makes of an Application.
//
//	argocd-cmp server CONFIG-DIRECTORY
//	argocd-cmp match|parameters|generate SOCKET REPOSITORY APPLICATION.yaml [FLAG...]
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/argoproj/argo-cd/v3/cmpserver"
	"github.com/argoproj/argo-cd/v3/cmpserver/apiclient"
	"github.com/argoproj/argo-cd/v3/cmpserver/plugin"
	"github.com/argoproj/argo-cd/v3/pkg/apis/application/v1alpha1"
	"github.com/argoproj/argo-cd/v3/util/cmp"
	"sigs.k8s.io/yaml"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) == 2 && args[0] == "server" {
		return serve(args[1])
	}
	if len(args) < 4 {
		return fmt.Errorf("usage: argocd-cmp server CONFIG-DIRECTORY | match|parameters|generate SOCKET REPOSITORY APPLICATION.yaml [FLAG...]")
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	elsewhere := flags.Bool("elsewhere", false, "the Application lives outside of Argo CD's own namespace")
	kube := flags.String("kube-version", "1.33.1", "the cluster's version")
	apis := flags.String("api-versions", "", "the cluster's API versions, by commas")
	timeout := flags.Duration("timeout", time.Minute, "the repo-server's deadline")
	if err := flags.Parse(args[4:]); err != nil {
		return err
	}
	text, err := os.ReadFile(args[3])
	if err != nil {
		return err
	}
	var app v1alpha1.Application
	if err := yaml.UnmarshalStrict(text, &app); err != nil {
		return err
	}
	name := app.Name
	if *elsewhere {
		name = app.Namespace + "_" + app.Name
	}
	env, err := environment(&app, name, *kube, *apis)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), *timeout)
	defer cancel()
	return ask(ctx, args[0], args[1], args[2], app.Spec.GetSource().Path, env)
}

func serve(config string) error {
	read, err := plugin.ReadPluginConfig(config)
	if err != nil {
		return err
	}
	server, err := cmpserver.NewServer(plugin.CMPServerInitConstants{PluginConfig: *read})
	if err != nil {
		return err
	}
	server.Run()
	return nil
}

// environment is what the repo-server gives a plugin (newEnv and getPluginEnvs in its repository.go).
func environment(app *v1alpha1.Application, name, kube, apis string) ([]string, error) {
	source := app.Spec.GetSource()
	revision := "0123456789abcdef0123456789abcdef01234567"
	env := v1alpha1.Env{
		{Name: "ARGOCD_APP_NAME", Value: name},
		{Name: "ARGOCD_APP_NAMESPACE", Value: app.Spec.Destination.Namespace},
		{Name: "ARGOCD_APP_PROJECT_NAME", Value: app.Spec.Project},
		{Name: "ARGOCD_APP_REVISION", Value: revision},
		{Name: "ARGOCD_APP_REVISION_SHORT", Value: revision[:7]},
		{Name: "ARGOCD_APP_REVISION_SHORT_8", Value: revision[:8]},
		{Name: "ARGOCD_APP_SOURCE_REPO_URL", Value: source.RepoURL},
		{Name: "ARGOCD_APP_SOURCE_PATH", Value: source.Path},
		{Name: "ARGOCD_APP_SOURCE_TARGET_REVISION", Value: source.TargetRevision},
		{Name: "KUBE_VERSION", Value: kube},
		{Name: "KUBE_API_VERSIONS", Value: apis},
	}
	out := env.Environ()
	if source.Plugin == nil {
		return out, nil
	}
	for _, entry := range source.Plugin.Env {
		out = append(out, "ARGOCD_ENV_"+entry.Name+"="+env.Envsubst(entry.Value))
	}
	parameters, err := source.Plugin.Parameters.Environ()
	return append(out, parameters...), err
}

func ask(ctx context.Context, what, socket, repository, path string, env []string) error {
	closer, client, err := apiclient.NewConfigManagementPluginClientSet(socket).NewConfigManagementPluginClient()
	if err != nil {
		return err
	}
	defer closer.Close()
	app := filepath.Join(repository, path)
	switch what {
	case "match":
		stream, err := client.MatchRepository(ctx)
		if err != nil {
			return err
		}
		if err := cmp.SendRepoStream(ctx, app, repository, stream, env, nil); err != nil {
			return err
		}
		answer, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		fmt.Println(answer.IsSupported)
	case "parameters":
		stream, err := client.GetParametersAnnouncement(ctx)
		if err != nil {
			return err
		}
		if err := cmp.SendRepoStream(ctx, app, repository, stream, env, nil); err != nil {
			return err
		}
		answer, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		text, err := json.Marshal(answer.ParameterAnnouncements)
		if err != nil {
			return err
		}
		fmt.Println(string(text))
	case "generate":
		stream, err := client.GenerateManifest(ctx)
		if err != nil {
			return err
		}
		if err := cmp.SendRepoStream(ctx, app, repository, stream, env, nil); err != nil {
			return err
		}
		answer, err := stream.CloseAndRecv()
		if err != nil {
			return err
		}
		for _, manifest := range answer.Manifests {
			fmt.Printf("---\n%s\n", strings.TrimSpace(manifest))
		}
	default:
		return fmt.Errorf("no %s", what)
	}
	return nil
}
