//! Keys are written and read through any node, with the command line's contract.

use evenkeel_tests::Cluster;

#[test]
fn a_key_is_written_read_changed_and_removed_through_any_node() {
    let cluster = Cluster::start(3);
    for (node, key) in ["alpha", "beta", "gamma", "delta", "epsilon", "zeta"].iter().enumerate() {
        let at = |turn: usize| (node + turn) % 3;
        let put = cluster.run_at(at(0), &["kv", "put", key, "one", "--json"]).expect(0).json();
        assert_eq!(put["result"], "ok", "{put}");
        assert!(put["version"]["index"].as_u64().unwrap() > 0, "{put}");

        let got = cluster.run_at(at(1), &["kv", "get", key]).expect(0);
        assert_eq!(got.stdout, "one", "{key}");

        let cas = ["kv", "cas", key, "two", "--expect", "one"];
        cluster.run_at(at(2), &cas).expect(0);
        // The same condition does not hold a second time.
        cluster.run_at(at(0), &cas).expect(1);
        cluster.run_at(at(1), &["kv", "cas", key, "x", "--expect-absent"]).expect(1);
        assert_eq!(cluster.run_at(at(0), &["kv", "get", key]).expect(0).stdout, "two");

        let deleted = cluster.run_at(at(1), &["kv", "delete", key, "--json"]).expect(0).json();
        assert_eq!(deleted["existed"], true, "{deleted}");
        cluster.run_at(at(2), &["kv", "get", key]).expect(1);
    }
}

#[test]
fn a_scan_lists_the_keys_of_all_shards_with_a_prefix() {
    let cluster = Cluster::start(3);
    for number in 0..12 {
        cluster.run(&["kv", "put", &format!("list/{number}"), "x"]).expect(0);
    }
    cluster.run(&["kv", "put", "other", "x"]).expect(0);
    for node in 0..3 {
        let listed = cluster.run_at(node, &["kv", "scan", "list/", "--keys-only"]).expect(0);
        let mut keys: Vec<&str> = listed.stdout.lines().collect();
        keys.sort_unstable();
        let mut expected: Vec<String> = (0..12).map(|number| format!("list/{number}")).collect();
        expected.sort_unstable();
        assert_eq!(keys, expected);
    }
}
