//! Where credentials come from: a file of each kind, the metadata server, nowhere.

use super::*;

#[tokio::test]
async fn a_file_that_holds_no_credentials_is_named() {
    let bench = Bench::new().await;
    let private_key = "-----BEGIN PRIVATE KEY-----\nbm90IGEga2V5IGF0IGFsbA==\n-----END PRIVATE KEY-----\n";
    for (file, expected) in [
        (json!({"type": "authorized_user", "client_id": "client.apps.example"}), "missing field"),
        (json!({"client_id": "client.apps.example"}), "has no `type`"),
        (json!({"type": "something_new"}), "\"something_new\" is not supported"),
        (json!("just text"), "has no `type`"),
        (
            json!({
                "type": "service_account", "client_email": "bot@example-project.example", "private_key_id": "1",
                "private_key": private_key, "project_id": "example-project",
            }),
            "no access token with the credentials from",
        ),
    ] {
        let path = bench.write(&file);
        let client = bench.client(&path);
        let attempt = client.generate(&request()).await;
        let Outcome::Unauthorized(fatal) = &attempt.outcome else { panic!("{attempt:?}") };
        assert!(fatal.message.contains(expected), "{fatal}");
        assert!(fatal.message.contains(&*path.to_string_lossy()), "{fatal}");
        assert!(fatal.message.contains("GOOGLE_APPLICATION_CREDENTIALS"), "{fatal}");
        assert!(!shown(&client, &attempt).contains("bm90IGEga2V5"));
    }
    let path = bench.folder.path().join("credentials.json");
    std::fs::write(&path, "{\"refresh_token\": \"1//unclosed-secret").unwrap();
    let attempt = bench.client(&path).generate(&request()).await;
    assert!(format!("{attempt:?}").contains("it is not JSON (line 1"), "{attempt:?}");
    assert!(!format!("{attempt:?}").contains("unclosed-secret"));
}

#[tokio::test]
async fn a_metadata_server_gives_a_token() {
    let bench = Bench::new().await;
    Mock::given(method("GET"))
        .and(path("/computeMetadata/v1/instance/service-accounts/default/token"))
        .and(header("metadata-flavor", "Google"))
        .respond_with(Tokens::default())
        .expect(1)
        .mount(&bench.server)
        .await;
    Mock::given(method("POST"))
        .and(header("authorization", "Bearer token-1"))
        .respond_with(ResponseTemplate::new(200).set_body_string(ANSWER))
        .expect(1)
        .mount(&bench.server)
        .await;
    let client = bench.client_as(Login::Default(DefaultCredentials {
        gcloud: Some(bench.folder.path().join("none.json")),
        metadata_host: Some(bench.server.address().to_string()),
        ..DefaultCredentials::default()
    }));
    let attempt = client.generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
}

#[tokio::test]
async fn no_credentials_anywhere_is_said_with_every_place_that_was_tried() {
    let bench = Bench::new().await;
    // Bound and let go: no metadata server listens there.
    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let client = bench.client_as(Login::Default(DefaultCredentials {
        gcloud: Some(bench.folder.path().join("none.json")),
        metadata_host: Some(nobody.to_string()),
        ..DefaultCredentials::default()
    }));
    let Outcome::Unauthorized(fatal) = client.generate(&request()).await.outcome else {
        panic!("credentials?")
    };
    for named in [
        "GOOGLE_APPLICATION_CREDENTIALS is not set",
        "none.json does not exist",
        "no metadata server answered",
        "in the environment or in .env",
    ] {
        assert!(fatal.to_string().contains(named), "{fatal}");
    }
    assert_eq!(bench.server.received_requests().await.unwrap().len(), 0);
}

#[tokio::test]
async fn an_outside_identity_is_exchanged_for_a_token() {
    let bench = Bench::new().await;
    let subject = bench.folder.path().join("subject.txt");
    std::fs::write(&subject, "subject-token-of-the-test").unwrap();
    let file = bench.write(&json!({
        "type": "external_account",
        "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/pool/providers/ci",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/sts", bench.server.uri()),
        "credential_source": {"file": subject},
    }));
    let issued = "urn:ietf:params:oauth:token-type:access_token";
    let token = json!({
        "access_token": "token-1", "issued_token_type": issued, "token_type": "Bearer", "expires_in": 3600,
    });
    Mock::given(path("/sts"))
        .and(wiremock::matchers::body_string_contains("subject-token-of-the-test"))
        .respond_with(ResponseTemplate::new(200).set_body_json(token))
        .expect(1)
        .mount(&bench.server)
        .await;
    Mock::given(header("authorization", "Bearer token-1"))
        .respond_with(ResponseTemplate::new(200).set_body_string(ANSWER))
        .expect(1)
        .mount(&bench.server)
        .await;
    let attempt = bench.client(&file).generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
}

/// Runs `openssl` in `folder` and returns what it prints; `None`, said aloud, where there is none.
fn openssl(folder: &Path, args: &[&str]) -> Option<Vec<u8>> {
    let Ok(output) = std::process::Command::new("openssl").args(args).current_dir(folder).output() else {
        eprintln!("skipped: no openssl here to make a key of a service account with");
        return None;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(output.stdout)
}

/// Decodes a part of a token: base64 as URLs have it.
fn decoded(folder: &Path, part: &str) -> Option<Vec<u8>> {
    let mut text = part.replace('-', "+").replace('_', "/");
    text.extend(std::iter::repeat_n('=', (4 - part.len() % 4) % 4));
    std::fs::write(folder.join("part"), text).unwrap();
    openssl(folder, &["base64", "-d", "-A", "-in", "part"])
}

#[tokio::test]
async fn a_service_account_signs_its_own_token_and_nobody_sees_it() {
    let bench = Bench::new().await;
    let folder = bench.folder.path();
    // Made for this test alone: no key lies in the repository.
    let make = ["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", "key.pem"];
    if openssl(folder, &make).is_none() {
        return;
    }
    let private_key = std::fs::read_to_string(folder.join("key.pem")).unwrap();
    let file = bench.write(&json!({
        "type": "service_account",
        "client_email": "bot@example-project.example",
        "private_key_id": "key-of-the-test",
        "private_key": private_key,
        "project_id": "example-project",
        "token_uri": format!("{}/token", bench.server.uri()),
    }));
    let count = AtomicUsize::new(0);
    // Refused once, then accepted twice, then refused with what was sent in the reply.
    let answer = move |request: &wiremock::Request| {
        let sent = request.headers["authorization"].to_str().unwrap();
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => ResponseTemplate::new(401),
            1 | 2 => ResponseTemplate::new(200).set_body_string(ANSWER),
            _ => ResponseTemplate::new(403)
                .set_body_json(json!({"error": {"code": 403, "message": format!("not with {sent}")}})),
        }
    };
    Mock::given(method("POST")).respond_with(answer).expect(4).mount(&bench.server).await;
    let client = bench.client(&file);
    for _ in 0..2 {
        let attempt = client.generate(&request()).await;
        assert!(matches!(attempt.outcome, Outcome::Answer(_)), "{attempt:?}");
    }
    let attempt = client.generate(&request()).await;
    assert!(matches!(attempt.outcome, Outcome::Fatal(_)), "{attempt:?}");
    assert!(attempt.body.contains("not with Bearer [redacted]"), "{}", attempt.body);

    let requests = bench.server.received_requests().await.unwrap();
    let sent: Vec<&str> =
        requests.iter().map(|request| request.headers["authorization"].to_str().unwrap()).collect();
    assert_eq!(sent[1], sent[2], "one token serves many requests");
    let token = sent[1].strip_prefix("Bearer ").unwrap();
    let shown = shown(&client, &attempt);
    let key_line = private_key.lines().nth(3).unwrap();
    assert!(!shown.contains(token) && !shown.contains(key_line), "{shown}");

    let [header, claims, signature] = token.split('.').collect::<Vec<_>>()[..] else { panic!("{token}") };
    let json = |part: &str| -> serde_json::Value {
        serde_json::from_slice(&decoded(folder, part).unwrap_or_default()).unwrap()
    };
    assert_eq!(json(header), json!({"alg": "RS256", "typ": "JWT", "kid": "key-of-the-test"}));
    let claims_of = json(claims);
    assert_eq!(claims_of["iss"], "bot@example-project.example");
    assert_eq!(claims_of["scope"], "https://www.googleapis.com/auth/cloud-platform");
    let lives = claims_of["exp"].as_i64().unwrap() - claims_of["iat"].as_i64().unwrap();
    assert!((3600..=3660).contains(&lives), "{claims_of}");
    std::fs::write(folder.join("signed"), format!("{header}.{claims}")).unwrap();
    std::fs::write(folder.join("signature"), decoded(folder, signature).unwrap_or_default()).unwrap();
    openssl(folder, &["pkey", "-in", "key.pem", "-pubout", "-out", "public.pem"]);
    let verify = ["dgst", "-sha256", "-verify", "public.pem", "-signature", "signature", "signed"];
    assert_eq!(openssl(folder, &verify).unwrap_or_default().trim_ascii_end(), b"Verified OK");
}
