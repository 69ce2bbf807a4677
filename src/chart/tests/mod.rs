//! Whole charts of a few lines: errors and their places, bounds, what is refused.

mod subcharts;

use super::*;

fn loaded(files: &[(&str, &str)]) -> Result<Chart, ChartError> {
    let chart = ("Chart.yaml", "apiVersion: v2\nname: small\nversion: 1.0.0\n");
    let mut all: Vec<(String, Vec<u8>)> = vec![(chart.0.to_owned(), chart.1.into())];
    all.extend(files.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())));
    Chart::load(all)
}

fn rendered(files: &[(&str, &str)]) -> Result<Vec<Manifest>, ChartError> {
    let capabilities = Capabilities::of_kubernetes("1.33").expect("a version");
    let release = ReleaseInfo::new("rel", "ns");
    render(&loaded(files)?, &serde_json::Value::Null, &release, &capabilities)
}

fn error(files: &[(&str, &str)]) -> String {
    rendered(files).expect_err("the chart is broken").to_string()
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n";

#[test]
fn an_error_names_place_and_calls() {
    let error = rendered(&[
        ("templates/a.yaml", "\n{{ include \"outer\" . }}\n"),
        ("templates/_b.tpl", "{{ define \"outer\" }}\n  {{ template \"inner\" . }}{{ end }}"),
        ("templates/_c.tpl", "{{ define \"inner\" }}\n\n{{ tpl \"{{ upper 1 }}\" . }}{{ end }}"),
    ])
    .expect_err("upper takes texts");
    assert_eq!(
        (error.to_string().as_str(), error.code().name),
        (
            "small: a text given to tpl:1:4: upper: wrong type for value; expected string; got int",
            "chart-template"
        )
    );
    assert_eq!(
        error.failure().facts,
        [
            "in a text given to tpl, called at templates/_c.tpl:3:4",
            "in inner, called at templates/_b.tpl:2:6",
            "in outer, called at templates/a.yaml:2:4",
        ]
    );
}

#[test]
fn annotations_are_a_map_of_texts() {
    let with = |annotations: &str| {
        let text =
            format!("apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n  annotations: {annotations}\n");
        rendered(&[("templates/a.yaml", &text)]).map(|manifests| manifests.len())
    };
    for taken in ["{ b: text }", "{ b: null }", "{ b: 1, c: true }", "{}", "null"] {
        assert_eq!(with(taken), Ok(1), "{taken}");
    }
    let refusal = |annotations: &str| with(annotations).expect_err("it is refused").to_string();
    let place = "small: templates/a.yaml:1: a rendered document is no object: ";
    for refused in ["{ b: [] }", "{ b: {} }"] {
        assert_eq!(refusal(refused), format!("{place}annotation `b` is not a text"), "{refused}");
    }
    for refused in ["1", "text", "[]"] {
        assert_eq!(refusal(refused), format!("{place}`metadata.annotations` is not a map"), "{refused}");
    }
}

#[test]
fn what_is_refused_is_refused_by_name() {
    let now = error(&[("templates/a.yaml", "{{ if false }}\n{{ now }}{{ end }}")]);
    assert_eq!(
        now,
        "small: templates/a.yaml:2:4: function `now` is refused: it reads the clock or the machine's time zone, \
         and a rendering must be the same every time"
    );
    let unknown = error(&[("templates/a.yaml", "{{ if false }}{{ js 1 }}{{ end }}")]);
    assert_eq!(unknown, "small: templates/a.yaml:1:18: function `js` is not implemented");
    let nothing = Chart::load([]).expect_err("no files").to_string();
    assert_eq!(nothing, "a chart: it has no Chart.yaml");
}

#[test]
fn a_chart_refuses_in_its_own_words() {
    let error = rendered(&[("templates/NOTES.txt", "{{ fail \"not with these values\" }}")])
        .expect_err("the notes refuse");
    assert_eq!(error.code().name, "chart-refuses");
    assert_eq!(error.failure().message, "chart small refuses these values: not with these values");
}

#[test]
fn output_that_is_no_object_names_template_and_line() {
    for (text, says) in [
        (
            "a: 1\n---\n\n- x\n",
            "templates/a.yaml:1: a rendered document is no object: `apiVersion` is missing or is not a text",
        ),
        ("# c\n---\n- x\n", "templates/a.yaml:3: a rendered document is no object: it is not a map"),
        ("a: {\n", "templates/a.yaml:"),
        (
            "apiVersion: v1\nkind: A\nmetadata: { name: a }\nkind: B\n",
            "templates/a.yaml:4: the output says `kind` twice, and not the same",
        ),
    ] {
        let error = error(&[("templates/a.yaml", text)]);
        assert!(error.starts_with(&format!("small: {says}")), "{error}");
    }
    let twice = error(&[("templates/a.yaml", MAP), ("templates/b.yaml", MAP)]);
    assert_eq!(
        twice,
        "small: templates/b.yaml:1: ConfigMap a is rendered twice, first by small/templates/a.yaml"
    );
}

#[test]
fn manifests_stand_in_order_of_installation_without_hooks_and_notes() {
    let object =
        |kind: &str, name: &str| format!("apiVersion: v1\nkind: {kind}\nmetadata: {{ name: {name} }}\n");
    let several = format!("{}---\n{}", object("Zebra", "z"), object("Service", "s"));
    let manifests = rendered(&[
        ("templates/a.yaml", &several),
        ("templates/b.yaml", &object("Antelope", "a")),
        ("templates/c/d.yaml", &object("Namespace", "ns")),
        ("templates/hook.yaml", "kind: Job\nmetadata: { annotations: { helm.sh/hook: pre-install } }\n"),
        ("templates/_part.tpl", "not: an object"),
        ("templates/NOTES.txt", "some notes"),
        ("templates/empty.yaml", "# nothing\n"),
    ])
    .expect("the chart renders");
    let order: Vec<(&str, String)> = manifests
        .iter()
        .map(|manifest| (manifest.template.as_str(), manifest.object.reference().to_string()))
        .collect();
    assert_eq!(
        order,
        [
            ("small/templates/c/d.yaml", "Namespace ns".to_owned()),
            ("small/templates/a.yaml", "Service s".to_owned()),
            ("small/templates/b.yaml", "Antelope a".to_owned()),
            ("small/templates/a.yaml", "Zebra z".to_owned()),
        ]
    );
}

#[test]
fn every_bound_ends_in_an_error_that_names_it() {
    let depth = "templates call each other more than 250 levels deep";
    let nesting = "a value is nested more than 128 levels deep";
    for (template, says) in [
        ("{{ define \"x\" }}{{ include \"x\" . }}{{ end }}{{ include \"x\" . }}", depth),
        (
            "{{ define \"y\" }}{{ if 1 }}{{ with 1 }}{{ template \"y\" }}{{ end }}{{ end }}{{ end }}{{ template \"y\" }}",
            depth,
        ),
        ("{{ define \"z\" }}{{ tpl \"{{ include `z` . }}\" . }}{{ end }}{{ include \"z\" . }}", depth),
        ("{{ range until 100000000 }}{{ end }}", "rendering takes more than 5000000 steps"),
        (
            "{{ range $i, $_ := until 100000 }}{{ range until 100 }}{{ end }}{{ end }}",
            "rendering takes more than 5000000 steps",
        ),
        ("{{ repeat 1000000000 \"x\" }}", "the templates write more than 67108864 bytes"),
        (
            "{{ $x := repeat 100000 \"x\" }}{{ range until 10000 }}{{ $x }}{{ end }}",
            "the templates write more than 67108864 bytes",
        ),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toYaml $d }}", nesting),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ toJson $d }}", nesting),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $d }}", nesting),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ printf \"%s\" $d }}", nesting),
        ("{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ deepCopy $d }}", nesting),
        (
            "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $e := dict }}{{ $_ := set $e \"d\" $e }}{{ deepEqual $d $e }}",
            nesting,
        ),
        (
            "{{ $d := dict }}{{ $_ := set $d \"d\" $d }}{{ $e := dict }}{{ $_ := set $e \"d\" $e }}{{ merge $d $e }}",
            nesting,
        ),
        (
            "{{ $x := list 1 }}{{ range until 100 }}{{ $x = list $x $x }}{{ end }}{{ toYaml $x }}",
            "rendering takes more than 5000000 steps",
        ),
    ] {
        let error = error(&[("templates/a.yaml", template)]);
        assert!(error.ends_with(says), "{template}: {error}");
    }
    let long = format!("{MAP}data:\n  a: {{{{ repeat 9000000 \"x\" }}}}\n");
    assert_eq!(
        error(&[("templates/a.yaml", &long)]),
        "small: templates/a.yaml:1: a rendered document has more than 8388608 bytes"
    );
}

#[test]
fn a_deeply_nested_value_does_no_harm() {
    let nested = "{{ $x := list }}{{ range until 300000 }}{{ $x = list $x }}{{ end }}";
    assert_eq!(rendered(&[("templates/a.yaml", nested)]), Ok(Vec::new()));
}

#[test]
fn equal_files_have_equal_digests() {
    let digest = |files: &[(&str, &str)]| loaded(files).expect("a chart").digest();
    let one = digest(&[("templates/a.yaml", "x"), ("b", "y")]);
    assert_eq!(one, digest(&[("b", "y"), ("templates/a.yaml", "x")]));
    assert_ne!(one, digest(&[("templates/a.yaml", "xb"), ("", "y")]));
}

#[test]
fn a_digest_is_none_of_what_the_chart_ignores() {
    let digest = |left: &str, kept: &str| {
        let files = [(".helmignore", "left\n"), ("left", left), ("kept", kept)];
        loaded(&files).expect("a chart").digest()
    };
    assert_eq!(digest("a", "x"), digest("b", "x"));
    assert_ne!(digest("a", "x"), digest("a", "y"));
}

#[test]
fn a_schema_is_checked_before_anything_is_rendered() {
    let schema = r#"{ "type": "object", "additionalProperties": false, "properties": {
        "size": { "enum": ["small", "large"] }, "count": { "type": "integer", "minimum": 1 } } }"#;
    let faults = |values: &str| {
        let files = [
            ("values.schema.json", schema),
            ("values.yaml", values),
            ("templates/a.yaml", "{{ fail \"no\" }}"),
        ];
        rendered(&files).expect_err("the chart fails in any case").fault
    };
    assert_eq!(faults("size: small\ncount: 2.0\n"), Fault::Refuses("no".to_owned()));
    assert_eq!(
        faults("size: medium\ncount: 0\nother: 1\n"),
        Fault::Values(vec![
            "(root): `other` is not allowed".to_owned(),
            "count: breaks `minimum`: 1".to_owned(),
            "size: must be one of [\"small\",\"large\"]".to_owned(),
        ])
    );
    let unknown = loaded(&[("values.schema.json", r#"{ "properties": { "a": { "prefixItems": [] } } }"#)]);
    assert_eq!(
        unknown.expect_err("a keyword is not implemented").to_string(),
        "small: values.schema.json: the keyword `prefixItems` is not implemented"
    );
}

mod properties {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// Scraps of templates, put together anyhow, end in manifests or in an error.
        #[test]
        fn no_text_makes_the_renderer_panic(
            text in "(\\{\\{-? ?|-?\\}\\}|if |else |end|range |with |define |template |block |break|\\$x |:= |= |\\.a|\\.Values|\"s\" |`r`|1 |1e3|'c'|\\(|\\)|\\| |nil |include |tpl |dict |list |toYaml |index |/\\*|\\*/|,|é| |\n|---\n|a: ){0,30}"
        ) {
            let _ = rendered(&[("templates/a.yaml", &text)]);
        }

        #[test]
        fn no_values_or_metadata_make_the_loader_panic(values in any::<String>(), chart in any::<String>()) {
            let _ = loaded(&[("values.yaml", &values), ("Chart.yaml", &chart), (".helmignore", &values)]);
        }
    }
}

/// A template has nothing but the chart and its values: no file, no environment, no network, no cluster.
#[test]
fn a_template_reaches_nothing_outside_of_the_chart() {
    let read = "{{ .Files.Get \"../outside\" }}{{ .Files.Get \"/etc/passwd\" }}{{ range $path, $_ := .Files.Glob \"../**\" }}\
                {{ $path }}{{ end }}{{ .Files.Get \"templates/a.yaml\" }}{{ .Files.Lines \"../../etc/hosts\" | join \"\" }}";
    let shown =
        format!("{MAP}data:\n  read: '{read}'\n  live: '{}'\n", "{{ lookup `v1` `Secret` `` `` | len }}");
    let manifests = rendered(&[("templates/a.yaml", &shown), ("inside", "x")]).expect("it renders");
    let said = |key: &str| manifests[0].object.text(&["data", key]).map(str::to_owned);
    assert_eq!((said("read"), said("live")), (Some(String::new()), Some("0".to_owned())));
    for (call, reason) in [
        ("env \"HOME\"", "it reads the environment, which Helm refuses too"),
        ("expandenv \"$HOME\"", "it reads the environment, which Helm refuses too"),
        ("getHostByName \"example.com\"", "it asks the network, and a rendering must not"),
    ] {
        let function = call.split(' ').next().unwrap_or_default();
        let refused = error(&[("templates/a.yaml", &format!("{{{{ {call} }}}}"))]);
        assert_eq!(
            refused,
            format!("small: templates/a.yaml:1:4: function `{function}` is refused: {reason}")
        );
        let hidden = error(&[("templates/a.yaml", &format!("{{{{ tpl `{{{{ {call} }}}}` . }}}}"))]);
        assert!(hidden.contains(&format!("function `{function}` is refused")), "{hidden}");
    }
}
