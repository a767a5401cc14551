//! Configurations without problems, and what becomes of them.

use insta::assert_snapshot;

use super::{GOOD, check, with};
use crate::config::{App, Artifact, Config, SudoPassword};

fn good(text: &str, sets: &[&str]) -> Config {
    check(text, sets).unwrap_or_else(|problems| panic!("{}", super::render(&problems)))
}

#[test]
fn scripts_get_it_as_a_map() {
    let sets = ["ssh.sudo=true", "ssh.sudo_password_env=PATH", "k3s.binary=https://example.org/k3s"];
    assert_snapshot!(serde_json::to_string_pretty(&good(GOOD, &sets)).unwrap());
}

#[test]
fn arguments_win_over_the_file_and_the_last_over_all() {
    let config = good(GOOD, &["cluster.name=first", "cluster.name=last", "nodes.worker.private_ip=10.0.0.9"]);
    assert_eq!(config.cluster.name, "last");
    assert_eq!(config.workers[0].private_ip.to_string(), "10.0.0.9");
}

#[test]
fn argument_may_have_quotes() {
    assert_eq!(good(GOOD, &["cluster.name=\"test\""]).cluster.name, "test");
    assert_eq!(good(GOOD, &["cluster.name='test'"]).cluster.name, "test");
}

#[test]
fn argument_for_a_table_that_the_file_does_not_have() {
    assert_eq!(good(GOOD, &["ssh.port=2222"]).master.ssh.options.port, Some(2222));
}

#[test]
fn lists_in_arguments() {
    let with_commas = good(GOOD, &["cluster.admin_networks=198.51.100.0/24,2001:db8::/48"]);
    let as_toml = good(GOOD, &["cluster.admin_networks=[\"198.51.100.0/24\", \"2001:db8::/48\"]"]);
    assert_eq!(with_commas, as_toml);
    assert_eq!(with_commas.cluster.admin_networks.len(), 2);
}

#[test]
fn arguments_of_programs_may_have_equal_signs_and_commas() {
    let listed =
        with(&[("[k3s]\n", "[k3s]\nkubelet_args = [\"eviction-hard=memory.available<5%,nodefs.available<5%\"]\n")]);
    assert_eq!(good(&listed, &[]).k3s.kubelet_args, ["eviction-hard=memory.available<5%,nodefs.available<5%"]);
    assert_eq!(good(GOOD, &["k3s.kubelet_args=fail-cgroupv1=false"]).k3s.kubelet_args, ["fail-cgroupv1=false"]);
}

#[test]
fn argument_repairs_the_file() {
    good(&with(&[("\"10.0.0.2\"", "\"10.0.0.1\"")]), &["nodes.worker.private_ip=10.0.0.2"]);
}

#[test]
fn a_node_overrides_the_general_connection() {
    let text = with(&[
        ("[k3s]", "[ssh]\nuser = \"admin\"\nport = 2222\nsudo = true\nsudo_password_env = \"PATH\"\n\n[k3s]"),
        ("\"root@203.0.113.1\"", "\"master\""),
        ("\"root@203.0.113.2\"", "\"worker\"\nssh_user = \"root\"\nssh_sudo = false"),
    ]);
    let config = good(&text, &[]);
    let (master, worker) = (&config.master.ssh.options, &config.workers[0].ssh.options);
    assert_eq!((master.user.as_deref(), master.port, master.sudo), (Some("admin"), Some(2222), true));
    assert_eq!((worker.user.as_deref(), worker.port, worker.sudo), (Some("root"), Some(2222), false));
    assert_eq!(master.sudo_password, Some(SudoPassword::Env("PATH".to_owned())));
}

#[test]
fn a_login_in_the_destination_wins_over_the_general_one() {
    let config = good(&with(&[("[k3s]", "[ssh]\nuser = \"admin\"\n\n[k3s]")]), &[]);
    assert_eq!(config.master.ssh.options.user, None);
}

#[test]
fn ipv6_destination_and_several_workers() {
    let third = "[[nodes]]\nname = \"third\"\nrole = \"worker\"\nssh = \"root@2001:db8::3\"\npublic_ip = \"203.0.113.3\"\n\
                 private_ip = \"10.0.0.3\"\nprivate_interface = \"eth1\"\n";
    let config = good(&(GOOD.to_owned() + third), &[]);
    assert_eq!(config.nodes().map(|node| node.name.as_str()).collect::<Vec<_>>(), ["master", "worker", "third"]);
}

#[test]
fn same_machine_behind_two_ports_is_two_nodes() {
    let one = "\"203.0.113.9\"\nssh_port = 2201";
    let two = "\"203.0.113.9\"\nssh_port = 2202";
    good(&with(&[("\"root@203.0.113.1\"", one), ("\"root@203.0.113.2\"", two)]), &[]);
}

#[test]
fn files_are_found_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cluster.toml");
    std::fs::write(folder.path().join("k3s"), "").unwrap();
    std::fs::write(&path, with(&[("[k3s]\n", "[k3s]\nbinary = \"k3s\"\n")])).unwrap();
    let config = Config::load(&path, &[]).unwrap();
    assert_eq!(config.k3s.source.binary, Some(Artifact::Path(folder.path().join("k3s"))));
}

#[test]
fn an_app_with_every_setting_and_one_with_defaults() {
    let text = with(&[(
        "[[nodes]]",
        "[[apps]]\nname = \"web\"\nimage = \"web:1\"\nhost = \"www.example.org\"\n\n\
         [[apps]]\nname = \"shop\"\nimage = \"ghcr.io/example/shop:2.1\"\nhost = \"shop.example.org\"\nport = 3000\nreplicas = 1\n\
         env = { LANGUAGE = \"en\", DEBUG = true, WORKERS = 2, EMPTY = \"\" }\npath = \"none\"\nuser = 1000\ningress = \"Ingress\"\n\
         issuer = \"own.example\"\nvolume = { size = \"5Gi\", path = \"/data\" }\nlimits = { memory = \"512Mi\", cpu = 2 }\n\
         [apps.secrets]\nTOKEN = { env = \"NOT_SET\" }\nKEY = { file = \"key.txt\" }\n\n[[nodes]]",
    )]);
    let apps = good(&text, &["apps.shop.env.LANGUAGE=de", "apps.shop.limits.cpu=500m"]).platform.apps;
    assert_snapshot!(serde_json::to_string_pretty(&apps).unwrap());
    // What scripts get of it is what they may hand on.
    for app in apps {
        assert_eq!(App::described(&serde_json::to_value(&app).unwrap()).as_ref(), Ok(&app));
    }
}

#[test]
fn an_app_of_a_script_has_the_same_problems() {
    let app = serde_json::json!({ "name": "9web", "image": "NGINX:1", "port": "80", "volume": { "size": "1Gi", "path": "/data" },
        "replicas": 2, "limit": {}, "secrets": { "KEY": "hunter2" } });
    assert_snapshot!(App::described(&app).unwrap_err().join("\n"));
}
