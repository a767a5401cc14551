//! The negative controls: what is planted is found, in every form and at every place.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use libtest_mimic::Trial;

use super::needles::{Needles, any, open};
use super::sampler::Sampler;
use super::support::lab::Step;
use super::trial;

/// What these tests call the controls.
pub fn trials() -> Vec<Trial> {
    vec![
        trial("control::the_search_finds_a_value_in_every_form", forms),
        trial("control::the_search_finds_files_and_tells_who_may_read_them", files),
        trial("control::the_sampler_finds_arguments_and_environments_of_short_lives", processes),
    ]
}

fn forms() -> Step {
    let mut needles = Needles::default();
    needles.add("planted", "it's \"planted\" 1");
    needles.add_pem("key", "-----BEGIN KEY-----\nAAAABBBBCCCC\nDDDDEEEEFFFF\n-----END KEY-----\n");
    let shell = |script: &str| Command::new("sh").args(["-c", script]).output().unwrap().stdout;
    for text in ["it's \"planted\" 1", "<it's \\\"planted\\\" 1>", "xDDDDEEEEFFFFx"] {
        assert_eq!(needles.in_bytes(text.as_bytes()).len(), 1, "{text}");
    }
    for before in ["", "x", "user:", "\\n\\n"] {
        let encoded = shell(&format!("printf '{before}it'\\''s \"planted\" 1\\n' | base64"));
        assert_eq!(needles.in_bytes(&encoded), ["planted"], "after {before:?}");
    }
    for text in ["it's planted", "-----BEGIN KEY-----", "AAAA"] {
        assert!(needles.in_bytes(text.as_bytes()).is_empty(), "{text}");
    }
    Ok(())
}

fn files() -> Step {
    let mut needles = Needles::default();
    needles.add("planted", "planted in a file");
    let folder = tempfile::tempdir().unwrap();
    assert!(needles.in_files(folder.path(), any).is_err(), "nothing to look at is no success");
    for (name, mode) in [("private", 0o600), ("group", 0o640), ("others", 0o604)] {
        let path = folder.path().join(name);
        fs::write(&path, "it is planted in a file here").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    assert_eq!(needles.in_files(folder.path(), any)?.len(), 3);
    assert_eq!(needles.in_files(folder.path(), open)?.len(), 2);
    Ok(())
}

fn processes() -> Step {
    let mut needles = Needles::default();
    needles.add("planted", &format!("planted-{}", std::process::id()));
    let sampler = Sampler::start(&[]);
    let planted = format!("planted-{}", std::process::id());
    for _ in 0..5 {
        Command::new("sleep").args(["0.05"]).env("PLANTED", &planted).status().unwrap();
        Command::new("sh").args(["-c", "sleep 0.05; :", &planted]).status().unwrap();
    }
    let seen = sampler.stop();
    assert!(!seen.arguments(&needles).is_empty(), "the arguments were not seen");
    assert!(!seen.environments(&needles).is_empty(), "the environment was not seen");
    assert!(seen.clean(&needles, "sleep").is_err());
    let unseen = seen.clean(&Needles::default(), "a program that never ran");
    assert!(unseen.unwrap_err().contains("has not seen"));
    Ok(())
}
