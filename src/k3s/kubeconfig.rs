//! The administrator's kubeconfig: read from the server, given another address and name, never written anywhere.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use kube::config::Kubeconfig;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::host::{Host, ScriptOptions};

/// How to rewrite a kubeconfig.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct KubeconfigOptions {
    /// The API server's address, e.g. `https://203.0.113.1:6443`. Default: as k3s wrote it, 127.0.0.1.
    pub server: Option<String>,
    /// The name of cluster, user and context. Default: as k3s wrote it, `default`.
    pub name: Option<String>,
}

/// Reads the kubeconfig of a server. Its keys are masked in everything that the run shows.
///
/// # Errors
/// Host when there is none, refused when the wanted address is none.
pub async fn kubeconfig(host: &Host, options: &KubeconfigOptions) -> Result<Kubeconfig> {
    if let Some(server) = &options.server
        && !server.starts_with("https://")
    {
        let help = "e.g. https://203.0.113.1:6443";
        return Err(Error::refused(format!("{server:?} does not begin with https://")).help(help));
    }
    let script = "cat /etc/rancher/k3s/k3s.yaml";
    let output = host.script(script, &ScriptOptions::titled("reading the kubeconfig").timeout(30)).await?;
    if output.status != 0 {
        return Err(Error::host("no kubeconfig on this host")
            .on(host.name())
            .help("k3s writes it on servers, when they start: is this the server, and is k3s up?"));
    }
    let mut config = Kubeconfig::from_yaml(&output.text())
        .map_err(|error| Error::host(format!("the kubeconfig on this host can't be read: {error}")).on(host.name()))?;
    hide(host, &config);
    rewrite(&mut config, options);
    Ok(config)
}

/// The kubeconfig as a file's text. To be kept secret.
pub fn text(config: &Kubeconfig) -> Result<String> {
    serde_yaml_ng::to_string(config).map_err(|error| Error::host(format!("the kubeconfig can't be written: {error}")))
}

fn hide(host: &Host, config: &Kubeconfig) {
    let users = serde_json::to_value(&config.auth_infos).unwrap_or_default();
    for user in users.as_array().into_iter().flatten() {
        for key in ["client-key-data", "token", "password"] {
            if let Some(value) = user["user"][key].as_str() {
                let secrets = host.run_context().secrets();
                secrets.add(value);
                // Whoever takes the key out of the file has it without base64.
                if let Ok(decoded) = STANDARD.decode(value)
                    && let Ok(text) = String::from_utf8(decoded)
                {
                    secrets.add(&text);
                }
            }
        }
    }
}

fn rewrite(config: &mut Kubeconfig, options: &KubeconfigOptions) {
    let current = config.current_context.clone();
    for cluster in &mut config.clusters {
        if let (Some(server), Some(cluster)) = (&options.server, &mut cluster.cluster) {
            cluster.server = Some(server.clone());
        }
        rename(&mut cluster.name, options);
    }
    for user in &mut config.auth_infos {
        rename(&mut user.name, options);
    }
    for context in &mut config.contexts {
        if Some(&context.name) == current.as_ref() {
            config.current_context = Some(options.name.clone().unwrap_or_else(|| context.name.clone()));
        }
        rename(&mut context.name, options);
        if let Some(context) = &mut context.context {
            rename(&mut context.cluster, options);
            if let Some(user) = &mut context.user {
                rename(user, options);
            }
        }
    }
}

fn rename(name: &mut String, options: &KubeconfigOptions) {
    if let Some(new) = &options.name {
        new.clone_into(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WRITTEN: &str = "apiVersion: v1\nclusters:\n- cluster:\n    certificate-authority-data: Y2E=\n    server: https://127.0.0.1:6443\n  \
        name: default\ncontexts:\n- context:\n    cluster: default\n    user: default\n  name: default\ncurrent-context: default\n\
        kind: Config\nusers:\n- name: default\n  user:\n    client-certificate-data: Y2VydA==\n    client-key-data: a2V5\n";

    #[test]
    fn address_and_name_are_rewritten_everywhere_and_the_key_stays() {
        let mut config = Kubeconfig::from_yaml(WRITTEN).unwrap();
        let options = KubeconfigOptions { server: Some("https://203.0.113.1:6443".into()), name: Some("prod".into()) };
        rewrite(&mut config, &options);
        insta::assert_snapshot!(text(&config).unwrap());
    }
}
