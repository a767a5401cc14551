//! Files with problems: each test shows what the user reads.

use std::{fs, path::Path};

use insta::assert_snapshot;

use super::{GOOD, check, problems, render, with};
use crate::config::Config;

#[test]
fn all_problems_are_reported_at_once_in_the_order_of_the_file() {
    let text = with(&[
        ("name = \"prod\"", "nmae = \"prod\"\npod_cidr = \"10.43.0.0/16\""),
        ("v1.36.5+k3s1", "1.36.5"),
        ("name = \"worker\"", "name = \"Worker\""),
        ("private_ip = \"10.0.0.2\"\n", ""),
    ]);
    assert_snapshot!(problems(&text, &["k3s.sha256=12", "nodes.maste.role=worker"]));
}

#[test]
fn syntax_errors() {
    assert_snapshot!(problems(&with(&[("\"worker\"", "worker"), ("[k3s]", "[k3s")]), &[]));
}

#[test]
fn duplicate_key() {
    assert_snapshot!(problems(&with(&[("role = \"worker\"", "role = \"worker\"\nrole = \"master\"")]), &[]));
}

#[test]
fn empty_file() {
    assert_snapshot!(problems("", &[]));
}

#[test]
fn mistyped_key_is_one_problem_even_if_the_right_one_is_required() {
    assert_snapshot!(problems(&with(&[("private_ip =", "privat_ip =")]), &[]));
}

#[test]
fn key_in_the_wrong_table() {
    assert_snapshot!(problems(&with(&[("[k3s]\n", "[k3s]\npod_cidr = \"10.42.0.0/16\"\n")]), &[]));
}

#[test]
fn unknown_key_and_table_that_resemble_nothing() {
    assert_snapshot!(problems(&with(&[("[k3s]\n", "[k3s]\nflavour = 1\n\n[monitoring]\n\n[k3s.x]\n")]), &[]));
}

#[test]
fn mistyped_table() {
    assert_snapshot!(problems(&with(&[("[cluster]", "[clusters]")]), &[]));
}

#[test]
fn secret_in_the_file_is_refused_and_not_shown() {
    let shown = problems(&with(&[("[k3s]", "[ssh]\nport = 0\nsudo_password = \"hunter2\"\n\n[k3s]")]), &[]);
    assert!(!shown.contains("hunter2"));
    assert_snapshot!(shown);
}

#[test]
fn secret_in_a_file_with_a_syntax_error_is_not_shown() {
    let shown = problems(&with(&[("[k3s]", "[ssh]\nsudo_password = hunter2\n\n[k3s]")]), &[]);
    assert!(!shown.contains("hunter2"));
}

#[test]
fn wrong_types() {
    let ssh = "[ssh]\nport = \"22\"\nsudo = \"true\"\nconnect_timeout = 2.5\naccept_new_host_keys = 1\nuser = 7\n";
    let k3s = format!("{ssh}[k3s]\nimages = \"a.tar\"\n");
    assert_snapshot!(problems(&with(&[("[k3s]\n", &k3s), ("\"eth1\"", "[]")]), &[]));
}

#[test]
fn values_in_place_of_tables() {
    assert_snapshot!(problems("cluster = \"prod\"\nnodes = \"a b\"\n[[k3s]]\n", &[]));
}

#[test]
fn nodes_in_single_brackets() {
    assert_snapshot!(problems("[k3s]\nversion = \"v1.36.5+k3s1\"\n[nodes]\nname = \"master\"\n", &[]));
}

#[test]
fn list_with_an_item_of_the_wrong_kind() {
    assert_snapshot!(problems(
        &with(&[("[k3s]", "admin_networks = [\"10.0.0.1\", 5, \"x\", \"10.1.2.3/8\"]\n\n[k3s]")]),
        &[]
    ));
}

#[test]
fn numbers_out_of_range() {
    assert_snapshot!(problems(&with(&[("[k3s]", "[ssh]\nport = 65536\nconnect_timeout = -1\n\n[k3s]")]), &[]));
}

#[test]
fn empty_text() {
    assert_snapshot!(problems(&with(&[("\"root@203.0.113.2\"", "\" \"")]), &[]));
}

#[test]
fn missing_keys_of_a_node() {
    assert_snapshot!(problems(&with(&[("name = \"worker\"\nrole = \"worker\"\n", "")]), &[]));
}

#[test]
fn invalid_host_names() {
    for (name, reason) in [
        ("Master", "upper-case"),
        ("master.example.org", "dots"),
        ("mas_ter", "'_'"),
        ("-master", "hyphen"),
        (&"m".repeat(64), "64 letters"),
    ] {
        let error = check(&with(&[("name = \"master\"", &format!("name = \"{name}\""))]), &[]).unwrap_err();
        assert!(error.problems()[0].message().contains(reason), "{name}: {error:?}");
    }
    assert_snapshot!(problems(&with(&[("name = \"master\"", "name = \"Master\"")]), &[]));
}

#[test]
fn invalid_addresses() {
    assert_snapshot!(problems(
        &with(&[
            ("\"203.0.113.1\"", "\"203.0.113.256\"\npublic_ip6 = \"[2001:db8::1]\""),
            ("\"10.0.0.1\"", "\"fd00::1\""),
            ("\"203.0.113.2\"", "\"203.0.113.2/24\"\npublic_ip6 = \"fe80::1\""),
            ("\"10.0.0.2\"", "\"127.0.0.1\""),
        ]),
        &[]
    ));
}

#[test]
fn invalid_networks() {
    for (cidr, reason) in [
        ("10.42.0.0", "is not a network"),
        ("10.42.0.1/16", "an address inside"),
        ("10.42.0.0/33", "is not a network"),
        ("fd00::/64", "IPv6"),
        ("10.42.0.0/24", "unusable size"),
    ] {
        let error = check(&with(&[("[k3s]", &format!("pod_cidr = \"{cidr}\"\n[k3s]"))]), &[]).unwrap_err();
        assert!(error.problems()[0].message().contains(reason), "{cidr}: {error:?}");
    }
    assert_snapshot!(problems(
        &with(&[("[k3s]", "pod_cidr = \"10.42.0.1/16\"\nservice_cidr = \"10.43.0.0/8\"\n[k3s]")]),
        &[]
    ));
}

#[test]
fn overlapping_networks() {
    assert_snapshot!(problems(&with(&[("[k3s]", "pod_cidr = \"10.42.0.0/15\"\n[k3s]")]), &[]));
}

#[test]
fn node_inside_the_network_of_the_pods() {
    assert_snapshot!(problems(&with(&[("\"10.0.0.2\"", "\"10.42.0.2\"")]), &[]));
}

#[test]
fn network_of_the_pods_too_small_for_the_nodes() {
    let third = "[[nodes]]\nname = \"third\"\nrole = \"worker\"\nssh = \"third\"\npublic_ip = \"203.0.113.3\"\n\
                 private_ip = \"10.0.0.3\"\nprivate_interface = \"eth1\"\n";
    assert_snapshot!(problems(&(with(&[("[k3s]", "pod_cidr = \"10.42.0.0/23\"\n[k3s]")]) + third), &[]));
}

#[test]
fn duplicated_names_addresses_and_machines() {
    let second = "worker\"\nrole = \"worker\"\nssh = \"root@203.0.113.2\"\npublic_ip = \"203.0.113.2\"\nprivate_ip = \"10.0.0.2\"";
    let copy = "master\"\nrole = \"worker\"\nssh = \"root@203.0.113.1\"\npublic_ip = \"203.0.113.2\"\nprivate_ip = \"203.0.113.2\"";
    assert_snapshot!(problems(&with(&[(second, copy)]), &[]));
}

#[test]
fn no_master() {
    assert_snapshot!(problems(&with(&[("role = \"master\"", "role = \"worker\"")]), &[]));
}

#[test]
fn two_masters_and_no_worker() {
    assert_snapshot!(problems(&with(&[("role = \"worker\"", "role = \"master\"")]), &[]));
}

#[test]
fn unknown_role_is_not_taken_for_a_missing_one() {
    assert_snapshot!(problems(&with(&[("role = \"worker\"", "role = \"agent\"")]), &[]));
}

#[test]
fn invalid_versions() {
    for (version, remedy) in [
        ("stable", "name one release"),
        ("1.36.5+k3s1", "write \"v1.36.5+k3s1\""),
        ("v1.36.5", "write \"v1.36.5+k3s1\""),
        ("1.36.5", "write \"v1.36.5+k3s1\""),
        ("v1.34", "as its release is called"),
        ("v1.36.5+rke2r1", "as its release is called"),
    ] {
        let error = check(&with(&[("v1.36.5+k3s1", version)]), &[]).unwrap_err();
        assert!(error.problems()[0].remedy().contains(remedy), "{version}: {error:?}");
    }
    assert_snapshot!(problems(&with(&[("v1.36.5+k3s1", "stable")]), &[]));
}

#[test]
fn invalid_checksums() {
    assert_snapshot!(problems(
        &with(&[("[k3s]\n", "[k3s]\nsha256 = \"abc\"\nsums = \"http://example.org/sums\"\n")]),
        &[]
    ));
    let shown = problems(&with(&[("[k3s]\n", &format!("[k3s]\nsha256 = \"{}\"\n", "g".repeat(64)))]), &[]);
    assert!(shown.contains("'g' is not a hexadecimal digit"));
}

#[test]
fn invalid_arguments() {
    let arguments = "[k3s]\nkubelet_args = [\"--max-pods=200\", \"fail-cgroupv1\", \"Max Pods=1\", \"v=\\n\"]\n";
    assert_snapshot!(problems(&with(&[("[k3s]\n", arguments)]), &["k3s.scheduler_args=v"]));
}

#[test]
fn checksum_given_twice() {
    let both = format!("[k3s]\nsha256 = \"{}\"\nsums = \"https://example.org/sums\"\n", "a".repeat(64));
    assert_snapshot!(problems(&with(&[("[k3s]\n", &both)]), &[]));
}

#[test]
fn login_in_a_download_address_is_refused_and_not_shown() {
    let shown = problems(&with(&[("[k3s]\n", "[k3s]\nbinary = \"https://me:hunter2@example.org/k3s\"\n")]), &[]);
    assert!(!shown.contains("hunter2"));
    assert_snapshot!(shown);
}

#[test]
fn files_that_do_not_exist() {
    assert_snapshot!(problems(
        &with(&[(
            "[k3s]\n",
            "[ssh]\nkey = \"/no/such/key\"\n\n[k3s]\nimages = [\"/dev/null\", \"images.tar\", \"/\"]\n"
        )]),
        &[]
    ));
}

#[test]
fn invalid_destinations() {
    for (destination, remedy) in [
        ("ssh://root@203.0.113.2:22", "port as ssh_port"),
        ("root@203.0.113.2:22", "port as ssh_port"),
        ("root@[2001:db8::1]", "without brackets"),
        ("-oProxyCommand=x", "an alias"),
        ("root@", "an alias"),
        ("two words", "an alias"),
        ("ssh://root:hunter2@203.0.113.2", "leave the password out"),
    ] {
        let error = check(&with(&[("\"root@203.0.113.2\"", &format!("\"{destination}\""))]), &[]).unwrap_err();
        assert!(error.problems()[0].remedy().contains(remedy), "{destination}: {error:?}");
    }
    assert_snapshot!(problems(&with(&[("\"root@203.0.113.2\"", "\"root@203.0.113.2:2222\"")]), &[]));
}

#[test]
fn two_logins_for_one_node() {
    assert_snapshot!(problems(&with(&[("\"root@203.0.113.2\"", "\"root@203.0.113.2\"\nssh_user = \"admin\"")]), &[]));
}

#[test]
fn password_variable_that_is_not_set() {
    assert_snapshot!(problems(
        &with(&[("[k3s]", "[ssh]\nsudo = true\nsudo_password_env = \"NO_SUCH_VARIABLE\"\n\n[k3s]")]),
        &[]
    ));
}

#[test]
fn password_without_sudo() {
    assert_snapshot!(problems(&with(&[("[k3s]", "[ssh]\nsudo_password_env = \"PATH\"\n\n[k3s]")]), &[]));
}

#[test]
fn password_file_that_others_can_read() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let (config, password) = (folder.path().join("cluster.toml"), folder.path().join("password"));
    fs::write(&config, with(&[("[k3s]", "[ssh]\nsudo = true\nsudo_password_file = \"password\"\n\n[k3s]")])).unwrap();
    fs::write(&password, "hunter2\n").unwrap();

    fs::set_permissions(&password, fs::Permissions::from_mode(0o644)).unwrap();
    let error = Config::load(&config, &[]).unwrap_err();
    assert!(error.problems()[0].message().contains("names a file that others can use"), "{error:?}");
    assert_eq!(error.problems()[0].remedy(), format!("make it yours alone: chmod 600 {}", password.display()));

    fs::set_permissions(&password, fs::Permissions::from_mode(0o600)).unwrap();
    let config = Config::load(&config, &[]).unwrap();
    assert_eq!(config.master.ssh.options.sudo_password.unwrap().read().unwrap(), "hunter2");
}

#[test]
fn configurations_that_can_not_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let binary = folder.path().join("binary");
    fs::write(&binary, [0xff, 0xfe]).unwrap();
    let shown =
        |path: &Path| render(&Config::load(path, &[]).unwrap_err()).replace(folder.path().to_str().unwrap(), "FOLDER");
    assert_snapshot!([shown(&folder.path().join("none")), shown(folder.path()), shown(&binary)].concat());
}

#[test]
fn a_problem_says_where_it_is() {
    let error = check(&GOOD.replace("\"10.0.0.2\"", "\"10.0.0\""), &[]).unwrap_err();
    let problem = &error.problems()[0];
    assert_eq!((problem.file(), problem.line(), problem.column()), ("cluster.toml", 20, 14));
}

#[test]
fn connection_key_of_a_node_without_its_prefix() {
    let error = check(&with(&[("role = \"worker\"", "role = \"worker\"\nport = 22")]), &[]).unwrap_err();
    assert_eq!(error.problems()[0].remedy(), "did you mean `ssh_port`?");
}

#[test]
fn password_in_a_destination_is_refused_and_not_shown() {
    let shown = problems(&with(&[("\"root@203.0.113.2\"", "\"root:hunter2@203.0.113.2\"")]), &[]);
    assert!(!shown.contains("hunter2"));
    assert_snapshot!(shown);
}

#[test]
fn names_of_apps_for_which_there_is_no_certificate() {
    for (host, why) in [
        ("203.0.113.2", "but an address, for which there is no certificate"),
        ("2001:db8::2", "but an address"),
        ("*.example.org", "they need DNS-01"),
        ("bücher.example.org", "begins with xn--"),
        ("my_app.example.org", "because of the underscore"),
        ("www.example.org.", "because of the dot at its end"),
    ] {
        let app = format!("[[apps]]\nname = \"web\"\nimage = \"web:1\"\nhost = \"{host}\"\n\n[[nodes]]");
        let said = problems(&with(&[("[[nodes]]", &app)]), &[]);
        let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains("is not a domain name") && said.contains(why), "{host}: {said}");
    }
}

#[test]
fn a_snapshotter_that_k3s_does_not_know() {
    let said = |name: &str| problems(&with(&[("[k3s]", &format!("[k3s]\nsnapshotter = \"{name}\""))]), &[]);
    assert!(said("overlay").contains("did you mean \"overlayfs\"?"), "{}", said("overlay"));
    assert!(said("9p").contains("write one of overlayfs, native,"), "{}", said("9p"));
}

#[test]
fn addresses_of_examples_get_no_certificate() {
    for domain in ["example.com", "example.net", "example.org"] {
        let certificates = format!("[certificates]\nemail = \"ops@{domain}\"\n\n[[nodes]]");
        let said = problems(&with(&[("[[nodes]]", &certificates)]), &[]);
        assert!(said.contains("Let's Encrypt refuses"), "{said}");
    }
}

#[test]
fn platform_that_contradicts_itself() {
    let text = with(&[(
        "[[nodes]]",
        "[ingress]\nenabled = false\n\n[certificates]\nemail = \"ops\"\nproduction = true\nacme_server = \"https://acme.example.org/dir\"\n\n\
         [charts]\ntraefik = \"http://charts.example.org\"\ncert_manager = \"no/such.tgz\"\n\n\
         [[apps]]\nname = \"Web\"\nhost = \"https://www.example.org/\"\n\n\
         [[apps]]\nname = \"api\"\nimage = \"api:1\"\nhost = \"api.example.org\"\npath = \"health\"\n\n\
         [[apps]]\nname = \"api\"\nimage = \"api:1\"\nhost = \"api.example.org\"\n\n[[nodes]]",
    )]);
    assert_snapshot!(problems(&text, &[]));
}

#[test]
fn apps_that_could_not_be_deployed() {
    let text = with(&[(
        "[[nodes]]",
        "[[apps]]\nname = \"9web\"\nimage = \"registry.example.org:5000/web\"\nhost = \"203.0.113.2\"\nreplicas = 2\n\
         env = { A-B = \"x\", DEBUG = true, KEY = \"x\" }\nsecrets = { KEY = { env = \"KEY\" } }\n\
         volume = { size = \"1\", pth = \"/data\" }\nlimits = { memory = \"1GB\", cpu = 2 }\nuser = 0\n\
         ingress = \"ingress\"\nissuer = \"Own\"\n\n\
         [[apps]]\nname = \"shop\"\nimage = \"Shop:1\"\nhost = \"*.example.org\"\nport = \"http\"\nenv = [\"A=b\"]\n\n\
         [[apps]]\nname = \"shop\"\nimage = \"shop:1\"\nhost = \"shop.example.org.\"\nvolume = { size = \"1Gi\", path = \"/data\" }\n\
         replicas = 3\nenv = { KEY = 1 }\n[apps.secrets]\nKEY = { file = \"key\" }\n\n[[nodes]]",
    )]);
    assert_snapshot!(problems(&text, &[]));
}

#[test]
fn a_secret_of_an_app_is_refused_and_not_shown() {
    let app = |rest: &str| {
        let app = "[[apps]]\nname = \"web\"\nimage = \"web:1\"\nhost = \"www.example.org\"\n";
        with(&[("[[nodes]]", &format!("{app}{rest}\n\n[[nodes]]"))])
    };
    let mut shown = Vec::new();
    for wrong in [
        "secrets = { KEY = \"hunter2\" }",
        "[apps.secrets]\nKEY = \"hunter2\"",
        "[apps.secrets]\nKEY = { value = \"hunter2\" }",
        "secret = \"hunter2\"",
        "password = \"hunter2\"",
    ] {
        shown.push(problems(&app(wrong), &[]));
    }
    shown.push(problems(&app(""), &["apps.web.secrets.KEY=hunter2"]));
    let shown = shown.join("\n");
    assert!(!shown.contains("hunter2"), "{shown}");
    assert_snapshot!(shown);
}
