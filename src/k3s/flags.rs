//! Flags of k3s as a person writes them, `name=value` or `name`: checked, and added to what the options say.

use serde_json::Value;

use super::form;
use super::settings::{Form, Role, SECRET_KEYS, SETTINGS, Setting, Values, by_key, of_role};
use crate::suggestion::nearest;

/// Adds flags to settings. Lists get longer; anything else may be said once only.
///
/// # Errors
/// Everything that is wrong with them, a line each.
pub(super) fn add(settings: &mut Values, role: Role, flags: &[String]) -> Result<(), String> {
    let mut problems = Vec::new();
    for flag in flags {
        let (name, value) = flag.split_once('=').map_or((flag.as_str(), None), |(name, value)| (name, Some(value)));
        match setting(role, name).and_then(|setting| values(setting, settings, value)) {
            Ok((setting, values)) if is_list(setting) => settings.append(setting.key, values),
            Ok((setting, values)) => settings.set(setting.key, values),
            Err(problem) => problems.push(format!("{name} {problem}")),
        }
    }
    if problems.is_empty() { Ok(()) } else { Err(problems.join("\n")) }
}

fn setting(role: Role, name: &str) -> Result<&'static Setting, String> {
    if let Some(setting) = of_role(role).find(|setting| setting.key == name) {
        return Ok(setting);
    }
    if SECRET_KEYS.contains(&name) || name.starts_with("etcd-s3") || name.ends_with("token-file") {
        return Err("can't be set here: it is a secret, or goes with one; write it into config.yaml on the host, where it is kept".into());
    }
    match by_key(name) {
        Some(setting) if setting.server_only && role == Role::Agent => Err("is known to servers only".into()),
        Some(_) => Err("can't be set".into()),
        None => {
            let known = SETTINGS.iter().map(|setting| setting.key);
            let meant = nearest(name, known).map_or(String::new(), |meant| format!("; did you mean {meant}?"));
            Err(format!("is not a flag of k3s {}{meant}", role.name()))
        }
    }
}

fn is_list(setting: &Setting) -> bool {
    matches!(setting.form, Form::Words | Form::Arguments | Form::Labels | Form::Taints)
}

fn values(
    setting: &'static Setting,
    settings: &Values,
    value: Option<&str>,
) -> Result<(&'static Setting, Vec<String>), String> {
    let value = match (setting.form, value) {
        (Form::Flag, None | Some("true")) => Value::from(true),
        (Form::Flag, Some("false")) => Value::from(false),
        (_, None) => return Err(format!("has no value; write {}=VALUE", setting.key)),
        (Form::Number, Some(text)) => text.parse::<u64>().map_or_else(|_| Value::from(text), Value::from),
        (_, Some(text)) => Value::from(text),
    };
    let values = form::read(setting.form, &value)?;
    if setting.form == Form::Labels && values.iter().any(|label| form::is_reserved_label(label)) {
        return Err("has a label that a kubelet may not give itself".into());
    }
    let said = settings.all(setting.key);
    if !is_list(setting) && !said.is_empty() && said != values {
        return Err(format!("is set already, to {}, by `{}`", said.join(","), setting.option));
    }
    Ok((setting, values))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(role: Role, flags: &[&str]) -> Result<Values, String> {
        let mut settings = Values::default();
        settings.set("node-ip", vec!["10.0.0.1".into()]);
        settings.set("tls-san", vec!["10.0.0.1".into()]);
        let flags: Vec<String> = flags.iter().map(|flag| (*flag).to_owned()).collect();
        add(&mut settings, role, &flags).map(|()| settings)
    }

    #[test]
    fn flags_are_added_by_their_form() {
        let flags = [
            "etcd-snapshot-retention=10",
            "debug",
            "tls-san=api.example.org",
            "etcd-arg=quota-backend-bytes=8589934592",
        ];
        let settings = added(Role::Server, &flags).unwrap();
        assert_eq!(settings.one("etcd-snapshot-retention"), Some("10"));
        assert!(settings.flag("debug"));
        assert_eq!(settings.all("tls-san"), ["10.0.0.1", "api.example.org"]);
        assert_eq!(settings.all("etcd-arg"), ["quota-backend-bytes=8589934592"]);
    }

    #[test]
    fn all_that_is_wrong_is_told_at_once() {
        let flags = [
            "node-ip=10.0.0.2",
            "etcd-snapshot-retentoin=10",
            "token=x",
            "node-name",
            "lb-server-port=many",
            "etcd-s3",
        ];
        insta::assert_snapshot!(added(Role::Server, &flags).unwrap_err(), @"
        node-ip is set already, to 10.0.0.1, by `node_ip`
        etcd-snapshot-retentoin is not a flag of k3s server; did you mean etcd-snapshot-retention?
        token can't be set here: it is a secret, or goes with one; write it into config.yaml on the host, where it is kept
        node-name has no value; write node-name=VALUE
        lb-server-port must be a whole number
        etcd-s3 can't be set here: it is a secret, or goes with one; write it into config.yaml on the host, where it is kept
        ");
        assert_eq!(added(Role::Agent, &["tls-san=x"]).unwrap_err(), "tls-san is known to servers only");
    }
}
