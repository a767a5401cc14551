//! A host that speaks our protocol and means ill: whatever it answers, there is an error or an output, and soon.

use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, duplex};

use super::Traffic;
use super::facts::Facts;
use super::shell::Shell;
use super::transport::Pipes;

/// Numbers that are the same in every run (xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit.max(1) as u64) as usize
    }

    fn damage(&mut self, text: &mut Vec<u8>) {
        let at = self.below(text.len());
        match self.below(6) {
            0 if !text.is_empty() => text[at] = self.below(256) as u8,
            1 => text.truncate(at),
            2 => text.splice(at..at, b"\n99999999999999999999\n".iter().copied()).for_each(drop),
            3 => text.splice(at..at, [0, 255, 27, 91]).for_each(drop),
            4 => text.extend_from_within(at..),
            _ => text.splice(at..at, vec![b'x'; self.below(200_000)]).for_each(drop),
        }
    }
}

/// The word at a place of the first line that has so many.
async fn word(from: &mut (impl tokio::io::AsyncBufRead + Unpin), starts: &str, at: usize) -> Option<String> {
    loop {
        let mut line = String::new();
        if from.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        if let Some(rest) = line.trim_start().strip_prefix(starts) {
            return rest.split_whitespace().nth(at).map(str::to_owned);
        }
    }
}

#[tokio::test]
async fn a_thousand_damaged_answers_end_with_an_output_or_an_error() {
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let (mut good, mut bad) = (0, 0);
    for _ in 0..1000 {
        let (stdin, requests) = duplex(1 << 20);
        let (mut answers, stdout) = duplex(1 << 20);
        let (mut complaints, stderr) = duplex(1 << 20);
        let pipes = Pipes::of(stdin, stdout, stderr);
        let mut damage = Random(random.below(usize::MAX) as u64 | 1);
        let host = async move {
            let mut requests = BufReader::new(requests);
            let ready = word(&mut requests, "printf '\\n%s %s\\n'", 0).await?;
            answers.write_all(format!("\n{ready} 0\n").as_bytes()).await.ok()?;
            complaints.write_all(format!("\n{ready}\n").as_bytes()).await.ok()?;
            let id = word(&mut requests, "run ", 0).await?;
            let mut out = format!("hello\n{id} 0\n").into_bytes();
            let mut err = format!("\n{id}\n").into_bytes();
            for _ in 0..damage.below(3) {
                if damage.below(3) > 0 { damage.damage(&mut out) } else { damage.damage(&mut err) }
            }
            // It may send more than anybody takes.
            let _ = tokio::time::timeout(Duration::from_secs(2), answers.write_all(&out)).await;
            let _ = tokio::time::timeout(Duration::from_secs(2), complaints.write_all(&err)).await;
            // It goes on listening.
            Some(requests)
        };
        let us = async {
            let traffic = Traffic::default();
            let mut shell = Shell::start(pipes, None, Duration::from_secs(5), &traffic).await?;
            shell.run("echo hello", Some(Duration::from_secs(5)), &traffic, |_, _| {}).await
        };
        let (_, answered) = tokio::time::timeout(Duration::from_secs(30), async { tokio::join!(host, us) })
            .await
            .unwrap_or_else(|_| panic!("neither an answer nor an error"));
        match answered {
            Ok(_) => good += 1,
            Err(_) => bad += 1,
        }
    }
    assert!(good > 50 && bad > 50, "{good} and {bad}: they are all alike");
}

#[test]
fn a_thousand_damaged_facts_are_read_or_refused() {
    let mut random = Random(0x2545_f491_4f6c_dd1d);
    let whole = "time=1700000000.5\nhostname=m1\ncpus=2\nuid=0\nuser=ops\ndisk_kb=2048\ndisk_free_kb=1024\n\
        ssh_connection=198.51.100.10 40312 203.0.113.10 22\n@os\nID=debian\nPRETTY_NAME=\"Debian\"\n\
        @memory\nMemTotal: 2048 kB\nSwapTotal: 0 kB\n\
        @links\nlo 65536 1 00:00:00:00:00:00 unknown\neth0 1500 1 02:00:00:00:00:01 up\n@inet6\n\
        fe800000000000000000000000000001 02 40 20 80 eth0\n@routes\n\
        Iface\tDestination\tGateway\tFlags\neth0\t00000000\t0100000A\t0003\n@trie\nMain:\n  +-- 0.0.0.0/0 3 0 5\n";
    let json = "time=1\ncpus=2\ndisk_kb=1\ndisk_free_kb=1\n@ip\n[{\"ifname\":\"eth0\",\"mtu\":1500,\"operstate\":\"UP\",\"address\":\"02:00:00:00:00:01\",\"addr_info\":[{\"family\":\"inet\",\"local\":\"10.0.0.2\",\"prefixlen\":24}]}]\n";
    let mut refused = 0;
    for round in 0..1000 {
        let mut text = if round % 2 == 0 { whole } else { json }.as_bytes().to_vec();
        for _ in 0..=random.below(4) {
            random.damage(&mut text);
        }
        refused += u32::from(Facts::parse(&String::from_utf8_lossy(&text)).is_err());
    }
    assert!((50..1000).contains(&refused), "{refused} were refused: they are all alike");
}
