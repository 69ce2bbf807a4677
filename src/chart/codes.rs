//! The codes of chart errors and their pages.

use crate::diagnostic::Code;

/// All codes of this module.
pub static CODES: &[&Code] =
    &[&ARCHIVE, &FILES, &TEMPLATE, &FUNCTION_UNKNOWN, &FUNCTION_REFUSED, &REFUSES, &VALUES, &YAML, &LIMIT];

/// An archive or folder whose files cannot be taken.
pub static ARCHIVE: Code = Code {
    name: "chart-archive",
    summary: "an archive or a folder holds what no chart may hold",
    page: "\
Charts come as folders or as .tgz archives, as `helm package` makes them and `helm pull` loads them down.
They hold files and folders and nothing else. A link, a device, a path that leads out of the archive, a file
that stands in it twice, and an archive that grows beyond all measure when it is unpacked are refused, whatever
they are meant for: a template could read through them what is no part of the chart. Nothing is ever unpacked
to the disk.

The fact below the message says which file it is. Where the archive is broken, it was not copied or loaded down
whole: get it again.
",
};

/// The files are no chart that can be rendered here.
pub(super) static FILES: Code = Code {
    name: "chart-files",
    summary: "the files are not a chart that can be rendered here",
    page: "\
A chart is a folder with a `Chart.yaml` (a name, a version, an `apiVersion` of `v1` or `v2`), usually
a `values.yaml`, and templates in `templates/`. Something of this is missing, cannot be read, or is of
a kind that is not installed by itself: a library chart lends its templates to others.

Subcharts lie in `charts/`, as folders or .tgz files. Each that `dependencies` names has to be there,
whatever its condition says: `helm dependency build` fetches what is missing. Where two would do for
one dependency, or two have one name, the chart is refused rather than rendered by chance: an alias or
an exact version tells them apart.

Istio's own charts have no subcharts. `istio.charts: {path: DIR}` takes `base`, `istiod` and `gateway` from
there, and `cni` where `istio.cni` is enabled, each a folder or a .tgz file, by the name and the version in its
`Chart.yaml`: the version has to be `istio.version`, or `1.0.0`, which Istio's source has in the place of one.
Check that the path names the folder that they are in, and that the download was complete.
`stolos vendor` takes them from a repository or a registry, and pins them:

    istio: { version: 1.30.3, charts: { repo: https://istio-release.storage.googleapis.com/charts } }
",
};

/// A template is broken or fails.
pub(super) static TEMPLATE: Code = Code {
    name: "chart-template",
    summary: "a chart's template cannot be evaluated",
    page: "\
Charts are rendered in this process, by the rules of Go's templates and Helm's functions. A template
of this chart breaks the grammar, or its evaluation failed: a field of something that has no fields,
a function with arguments of the wrong type, a template that nobody defines.

The message names the chart, the file, the line and column, and the lines below it the templates that
led there. Most often a value has another type than the chart expects (a text where a map should be,
say): look at the values that the line reads. `helm template` with the same values says the same in
its own words.
",
};

/// A function that is not implemented.
pub(super) static FUNCTION_UNKNOWN: Code = Code {
    name: "chart-function-unknown",
    summary: "a chart's template calls a function that is not implemented",
    page: "\
The built-in renderer has Go's own template functions, Helm's, and the greater part of the sprig
library: all that Istio's charts have used since 1.24. This template calls another one. It is refused
when the chart is read, before anything is rendered, since leaving a function out would change the
manifests without a word.

Render the chart with `helm` instead, or use a version of the chart that does not call it.
",
};

/// A function whose result is not a matter of chart and values.
pub(super) static FUNCTION_REFUSED: Code = Code {
    name: "chart-function-refused",
    summary: "a chart's template calls a function whose result would change from run to run",
    page: "\
A rendering must depend on the chart and its values alone: the same input gives the same bytes, so
that a plan can be compared with what runs. Functions that read the clock (`now`), randomness
(`randAlphaNum`, `uuidv4`, `genCA`), the network (`getHostByName`) or the machine (`env`) cannot keep
that promise. They are refused by name when the chart is read.

Certificates are issued by the `trust` unit of a topology; other generated values belong in the
chart's values, where they can be reviewed.
",
};

/// `fail` and `required`.
pub(super) static REFUSES: Code = Code {
    name: "chart-refuses",
    summary: "the chart refuses the values that it was given",
    page: "\
The chart itself checks its values, with `fail` or `required`, and says no. The message is the
chart's own; the place is the line that refused.

The embedded charts honour the keys of Istio's official charts that they use and refuse the others by
name, so that a value is never ignored. Change the values in `istio.values`, `defaults.values` or
`clusters.<name>.values`, or use the official charts for what the embedded ones do not do.
",
};

/// `values.schema.json`.
pub(super) static VALUES: Code = Code {
    name: "chart-values",
    summary: "the values break the chart's own schema",
    page: "\
The chart carries a `values.schema.json`, and the values (the chart's defaults with yours on top)
break it. Each line names the value's path and what the schema wants there. Helm makes the same check
before it renders.

A key that the schema does not know is often a spelling mistake. A schema that uses a keyword which
is not implemented here is refused by the keyword's name.
",
};

/// Rendered text that is no YAML or no object.
pub(super) static YAML: Code = Code {
    name: "chart-yaml",
    summary: "a chart's files or manifests are not the YAML they should be",
    page: "\
What a template writes is read again as YAML, and every document must be a Kubernetes object: a map
with `apiVersion`, `kind` and `metadata.name`. A key that stands twice in a map, or an object that is
rendered twice, is refused too: which of the two would win is a matter of chance.

The place is the template and the line of its *output*. A value with a colon, a quote or a line break
in it that the template does not quote is the usual cause; so is a number or boolean where the
template expects a text.
",
};

/// A bound was reached.
pub(super) static LIMIT: Code = Code {
    name: "chart-limit",
    summary: "rendering a chart takes more than it may",
    page: "\
Rendering is bounded, so that a broken chart ends in an error instead of a full disk or an endless
loop: how deep templates may call each other, how many steps evaluation may take (counted, not timed,
so that a slow machine gives the same answer), how many bytes may be written, how large one document
may be and how deep its values may nest. The message says which bound was reached.

The bounds are some twenty times what the largest of Istio's charts needs. A template that includes
itself without an end is the usual cause.
",
};
