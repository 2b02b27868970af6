//! Where weights lie decides nothing about what is learned.

use crate::step::binary::Bench;

#[test]
fn an_embedding_on_the_host_trains_the_same_adapter() {
    let bench = Bench::new("qwen3-untied");
    for (out, embedding) in [("beside", "device"), ("host", "host")] {
        let (code, _, words) = bench.run(out, &["--max-steps", "5", "--embedding", embedding]);
        assert_eq!(code, Some(0), "{words}");
    }
    let adapter = |out: &str| bench.read(&format!("{out}/left/adapter_model.safetensors"));
    assert!(adapter("beside") == adapter("host"));

    let provenance: serde_json::Value =
        serde_json::from_slice(&bench.read("host/left/provenance.json")).unwrap();
    assert_eq!((&provenance["device"], &provenance["threads"]), (&"cpu".into(), &1.into()));
}
