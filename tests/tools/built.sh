# For build-helm and build-registry to source: builds a tool of a Go module into target/tools.
#
# `built NAME FOLDER PACKAGE` builds PACKAGE of the module in FOLDER, pinned with everything below it by go.mod and
# go.sum there, so that the same bytes are built on every machine and no release binary has to be trusted, and prints
# the path of the tool. Nothing is done when the tool is newer than what it is made of.
built() {
    name=$1 folder=$2 package=$3
    target=${CARGO_TARGET_DIR:-$tools/../../target}
    mkdir -p "$target/tools"
    tool=$(cd "$target/tools" && pwd)/$name
    if [ -n "$(find "$folder" -maxdepth 1 -type f -newer "$tool" 2>&1)" ]; then
        command -v go >/dev/null || {
            echo "Go is needed to build $name, and there is no go on the PATH" >&2
            exit 1
        }
        # Built beside its place and moved, so that two builds at once cannot leave half a binary. An
        # unchanged binary may keep its old time in Go's cache, hence the touch.
        trap 'rm -f "$tool.$$"' EXIT
        (cd "$folder" && go build -trimpath -buildvcs=false -o "$tool.$$" "$package")
        touch "$tool.$$"
        mv "$tool.$$" "$tool"
    fi
    echo "$tool"
}
