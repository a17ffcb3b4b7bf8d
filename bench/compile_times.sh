#!/usr/bin/env bash
# What the headers cost: CPU seconds to compile each public header alone and each example, with the flags a user would
# have (-std=c++20 -O2). Writes a JSON array.
#     compile_times.sh COMPILER FILE [--quick]     (--quick: the 60-line example alone)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

compiler=$1 out=$2 quick=${3:-}
eigen=$(pkg-config --variable=prefix eigen3 2>/dev/null || echo /usr)/include/eigen3
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# Seconds of one file's compilation: user and system, of the compiler and what it starts.
compile() {
  local name=$1 source=$2 TIMEFORMAT='%U %S' seconds
  if ! seconds=$({ time "$compiler" -std=c++20 -O2 -Iinclude -Iexamples -isystem "$eigen" -c "$source" -o /dev/null \
    2>"$work/errors.$BASHPID"; } 2>&1); then
    cat "$work"/errors.* >&2
    return 1
  fi
  awk -v name="$name" '{ printf "{\"file\": \"%s\", \"seconds\": %.2f}\n", name, $1 + $2 }' <<<"$seconds"
}
alone() { # a header alone
  local source
  source=$work/$(tr / _ <<<"$1").cpp
  echo "#include \"$1\"" >"$source"
  compile "include/$1" "$source"
}
export -f compile alone
export compiler eigen work

{
  if [ "$quick" = --quick ]; then
    compile examples/bring_your_own_model.cpp examples/bring_your_own_model.cpp
  else
    find examples -maxdepth 1 -name '*.cpp' | sort | xargs -P "$(nproc)" -I{} bash -c 'compile {} {}'
    (cd include && find mts -name '*.hpp' -not -path 'mts/cuda/*' | sort) | xargs -P "$(nproc)" -I{} bash -c 'alone {}'
  fi
} | sort | sed '$!s/$/,/; 1s/^/[/; $s/$/]/' >"$out.part"
mv "$out.part" "$out"
