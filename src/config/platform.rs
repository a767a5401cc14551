//! The settings of what runs on the cluster: `[helm]`, `[charts]`, `[ingress]`, `[certificates]`, `[monitoring]`, `[[apps]]`.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Serialize;

use super::{
    app::{self, App, AppDraft},
    document::Table,
    problem::Finding,
    reader::{Field, Reader},
    values,
};

/// What runs on the cluster beside k3s.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Platform {
    /// `[helm]`.
    pub helm: Helm,
    /// `[charts]`.
    pub charts: Charts,
    /// `[ingress]`.
    pub ingress: Ingress,
    /// `[certificates]`.
    pub certificates: Certificates,
    /// `[monitoring]`.
    pub monitoring: Monitoring,
    /// `[[apps]]`.
    pub apps: Vec<App>,
}

/// `[helm]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Helm {
    /// The Helm CLI to use; nothing means the one that is installed, or else the pinned release.
    pub binary: Option<PathBuf>,
}

/// `[charts]`: where a chart comes from, a file or folder here, an `https://` or an `oci://` address; nothing means its official
/// repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Charts {
    /// The chart of Traefik.
    pub traefik: Option<String>,
    /// The chart of cert-manager.
    pub cert_manager: Option<String>,
    /// The chart of Prometheus, Alertmanager and Grafana.
    pub kube_prometheus_stack: Option<String>,
}

/// `[ingress]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Ingress {
    /// Whether Traefik is installed; default yes.
    pub enabled: bool,
    /// Addresses and networks that lead on to the workers, under which names may be reached too; default none.
    pub addresses: Vec<IpNet>,
}

/// `[certificates]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Certificates {
    /// Whether cert-manager is installed; default yes.
    pub enabled: bool,
    /// The address that the ACME server gets with the account.
    pub email: Option<String>,
    /// Whether certificates come from Let's Encrypt's production, which browsers trust; default no: from its staging.
    pub production: bool,
    /// The directory of another ACME server.
    pub acme_server: Option<String>,
    /// The certificates (PEM) of the authority that this server's own certificate is from.
    pub acme_ca: Option<PathBuf>,
}

/// `[monitoring]`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Monitoring {
    /// Whether Prometheus and Alertmanager are installed; default yes.
    pub enabled: bool,
    /// Whether Grafana is among them; default yes.
    pub grafana: bool,
    /// Whether kube-state-metrics is among them; default yes.
    pub kube_state_metrics: bool,
}

/// What was read of the platform, as far as it could be.
pub(super) struct PlatformDraft {
    helm: Field<PathBuf>,
    charts: [Field<String>; 3],
    ingress: Field<bool>,
    addresses: Field<Vec<IpNet>>,
    certificates: Field<bool>,
    email: Field<String>,
    production: Field<bool>,
    acme_server: Field<String>,
    acme_ca: Field<PathBuf>,
    monitoring: Field<bool>,
    grafana: Field<bool>,
    kube_state_metrics: Field<bool>,
    apps: Vec<AppDraft>,
}

/// The tables of the platform, in the order of [`NAMES`]; no table where something else stands in its place.
pub(super) type Tables<'t> = [Option<&'t Table>; NAMES.len()];

/// The tables that make up the platform, beside `[[apps]]`.
pub(super) const NAMES: [&str; 5] = ["helm", "charts", "ingress", "certificates", "monitoring"];

/// Reads the platform's tables, and those of the apps with their paths.
pub(super) fn read(tables: Tables<'_>, apps: Vec<(String, &Table)>, reader: &mut Reader<'_>) -> PlatformDraft {
    let [helm, charts, ingress, certificates, monitoring] = tables;

    let mut table = reader.table(helm, "helm", "[helm]");
    let helm = table.text_of("binary", values::file);
    table.finish();

    let mut table = reader.table(charts, "charts", "[charts]");
    let charts = ["traefik", "cert_manager", "kube_prometheus_stack"].map(|key| table.text_of(key, values::chart));
    table.finish();

    let mut table = reader.table(ingress, "ingress", "[ingress]");
    let ingress = table.flag("enabled");
    let addresses = table.list("addresses", |text, _| values::address_or_network(text));
    table.finish();

    let mut table = reader.table(certificates, "certificates", "[certificates]");
    let certificates = table.flag("enabled");
    let email = table.text("email", values::email);
    let production = table.flag("production");
    let acme_server = table.text("acme_server", values::https);
    let acme_ca = table.text_of("acme_ca", values::file);
    table.finish();

    let mut table = reader.table(monitoring, "monitoring", "[monitoring]");
    let monitoring = table.flag("enabled");
    let grafana = table.flag("grafana");
    let kube_state_metrics = table.flag("kube_state_metrics");
    table.finish();

    let apps = apps
        .into_iter()
        .map(|(path, table)| app::read(reader.table(Some(table), &path, "[[apps]]"), path, table.place))
        .collect();
    PlatformDraft {
        helm,
        charts,
        ingress,
        addresses,
        certificates,
        email,
        production,
        acme_server,
        acme_ca,
        monitoring,
        grafana,
        kube_state_metrics,
        apps,
    }
}

impl PlatformDraft {
    /// What contradicts itself.
    pub fn check(&self) -> Vec<Finding> {
        let off = |field: &Field<bool>| field.given().filter(|field| !field.value).map(|field| field.place);
        let mut findings = Vec::new();
        if let (Some(place), None) = (off(&self.ingress), off(&self.certificates)) {
            let help =
                "certificates are ordered through Traefik (HTTP-01): add `enabled = false` to [certificates], too";
            findings.push(Finding::new("certificates need the ingress", help, place));
        }
        if let (Some(place), None) = (off(&self.certificates), off(&self.monitoring)) {
            let help = "its webhook has a certificate of cert-manager: add `enabled = false` to [monitoring], too";
            findings.push(Finding::new("monitoring needs cert-manager", help, place));
        }
        if let (Some(server), Some(production)) = (self.acme_server.given(), self.production.given())
            && production.value
        {
            findings.push(Finding::between(
                "`certificates.production` and `certificates.acme_server` exclude each other",
                "keep one of them: production is Let's Encrypt's",
                vec![(production.place, "either this".to_owned()), (server.place, "or this".to_owned())],
            ));
        }
        if let (Some(ca), Field::Absent) = (self.acme_ca.given(), &self.acme_server) {
            let help = "add `acme_server`, or leave it out: Let's Encrypt is known everywhere";
            findings.push(Finding::new("`certificates.acme_ca` is set without a server of your own", help, ca.place));
        }
        if let (Some(app), Some(place)) = (self.apps.first(), off(&self.ingress).or(off(&self.certificates))) {
            let labels = vec![(app.place, "served over HTTPS".to_owned()), (place, "needed for it".to_owned())];
            let help = "leave the apps out, or switch ingress and certificates on";
            findings.push(Finding::between("apps need the ingress and certificates", help, labels));
        }
        findings.extend(self.apps.iter().flat_map(AppDraft::check));
        findings.extend(self.repeated("name", |app| &app.name));
        findings.extend(self.repeated("host", |app| &app.host));
        findings
    }

    fn repeated(&self, key: &str, field: fn(&AppDraft) -> &Field<String>) -> Option<Finding> {
        let given = |app| field(app).given();
        let (index, second) = self.apps.iter().enumerate().find_map(|(index, app)| {
            let value = given(app)?;
            let before = self.apps[..index].iter().filter_map(given).any(|other| other.value == value.value);
            before.then_some((index, value))
        })?;
        let first = self.apps[..index].iter().filter_map(given).find(|other| other.value == second.value)?;
        Some(Finding::between(
            format!("several apps have the {key} `{}`", second.value),
            format!("give each app a {key} of its own"),
            vec![(first.place, "here".to_owned()), (second.place, format!("and here, in {}", self.apps[index].path))],
        ))
    }

    /// The settings, with the defaults where nothing was said; nothing if something is missing or wrong.
    pub fn complete(self) -> Option<Platform> {
        let [traefik, cert_manager, kube_prometheus_stack] = self.charts.map(Field::value);
        let yes = |field: Field<bool>| field.value().unwrap_or(true);
        Some(Platform {
            helm: Helm { binary: self.helm.value() },
            charts: Charts { traefik, cert_manager, kube_prometheus_stack },
            ingress: Ingress { enabled: yes(self.ingress), addresses: self.addresses.value().unwrap_or_default() },
            certificates: Certificates {
                enabled: yes(self.certificates),
                email: self.email.value(),
                production: self.production.value().unwrap_or(false),
                acme_server: self.acme_server.value(),
                acme_ca: self.acme_ca.value(),
            },
            monitoring: Monitoring {
                enabled: yes(self.monitoring),
                grafana: yes(self.grafana),
                kube_state_metrics: yes(self.kube_state_metrics),
            },
            apps: self.apps.into_iter().map(AppDraft::complete).collect::<Option<_>>()?,
        })
    }
}
