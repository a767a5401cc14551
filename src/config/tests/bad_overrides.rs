//! `--set` arguments with problems: the argument is the place.

use insta::assert_snapshot;

use super::{GOOD, check, problems, with};

#[test]
fn value_that_the_setting_refuses() {
    assert_snapshot!(problems(GOOD, &["nodes.worker.private_ip=10.0.0"]));
}

#[test]
fn argument_without_a_value() {
    assert_snapshot!(problems(GOOD, &["k3s.version"]));
}

#[test]
fn keys_that_are_no_keys() {
    for set in ["=x", "cluster.=x", ".name=x", "cluster..name=x"] {
        let error = check(GOOD, &[set]).unwrap_err();
        assert!(error.problems()[0].message().ends_with("is not a key"), "{set}: {error:?}");
    }
}

#[test]
fn unknown_key() {
    assert_snapshot!(problems(GOOD, &["k3s.verison=v1.36.5+k3s1"]));
}

#[test]
fn key_without_its_table() {
    assert_snapshot!(problems(GOOD, &["version=v1.36.5+k3s1"]));
}

#[test]
fn unknown_nodes() {
    assert_snapshot!(problems(GOOD, &["nodes.wroker.private_ip=10.0.0.9", "nodes.1.private_ip=10.0.0.9"]));
}

#[test]
fn more_than_one_setting() {
    assert_snapshot!(problems(GOOD, &["cluster=prod", "nodes=x", "nodes.worker=x"]));
}

#[test]
fn less_than_a_setting() {
    assert_snapshot!(problems(GOOD, &["cluster.name.first=x"]));
}

#[test]
fn values_of_the_wrong_type() {
    assert_snapshot!(problems(
        GOOD,
        &["ssh.port=ssh", "ssh.sudo=yes", "cluster.admin_networks=[10.0.0.0/8", "cluster.name="]
    ));
}

#[test]
fn item_of_a_list() {
    assert_snapshot!(problems(GOOD, &["cluster.admin_networks=10.0.0.0/8,10.1.0/16"]));
}

#[test]
fn conflict_between_an_argument_and_the_file() {
    assert_snapshot!(problems(GOOD, &["nodes.worker.private_ip=10.0.0.1"]));
}

#[test]
fn relative_path_starts_at_the_working_directory() {
    assert_snapshot!(problems(GOOD, &["k3s.binary=no-such-k3s"]));
}

#[test]
fn secret_is_refused_and_not_shown() {
    let shown = problems(GOOD, &["ssh.sudo_password=hunter2"]);
    assert!(!shown.contains("hunter2"));
    assert_snapshot!(shown);
}

#[test]
fn argument_is_named_even_if_the_file_has_syntax_errors() {
    assert_snapshot!(problems(&with(&[("[k3s]", "[k3s")]), &["k3s"]));
}
