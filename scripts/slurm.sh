#!/usr/bin/env bash
# Submits an experiment to Slurm: an array with a task for each share of the trials, the array again for trials of a second
# stage (its tasks end at once where there is none), and a job that gathers tables, claims and figures.
#
#   scripts/slurm.sh NAME PROFILE [--shards N] [sbatch options] [-- options of the program]
#
# Run it from the repository's root, which all nodes must see. BINARY names the program if it is not to be built here.
set -euo pipefail

fail() {
    echo "error: $*" >&2
    exit 2
}

(($# >= 2)) || fail "usage: scripts/slurm.sh NAME PROFILE [--shards N] [sbatch options] [-- options of the program]"
name=$1 profile=$2 shards=16
shift 2
given=()
while (($#)); do
    case $1 in
    --) break ;;
    --shards)
        (($# >= 2)) || fail "--shards: allowed: a whole number from 1"
        shards=$2
        shift
        ;;
    --shards=*) shards=${1#*=} ;;
    --array* | -a* | --dependency* | -d*) fail "$1: scripts/slurm.sh sets array and dependency itself; pass --shards N" ;;
    *) given+=("$1") ;;
    esac
    shift
done
(($# == 0)) || shift
[[ $shards =~ ^[1-9][0-9]*$ ]] || fail "--shards $shards: allowed: a whole number from 1"
[[ -f experiments/$name.toml ]] || fail "experiments/$name.toml: no such file; run from the repository root, with the name of an experiment"
command -v sbatch >/dev/null ||
    fail "sbatch: no such program; Slurm is not installed here. docs/cluster.md says how to run shares without it"

binary=${BINARY:-target/release/$name}
[[ -n ${BINARY:-} ]] || cargo build --release --bin "$name"
mkdir -p results/.slurm

# What is given comes later, and counts.
defaults=(--time=04:00:00 --cpus-per-task=2 --mem-per-cpu=2G --job-name="$name")
echo "options of sbatch: ${defaults[*]} (defaults) ${given[*]:-} (given); account and partition are the cluster's own unless given"

submit() {
    local id
    id=$(sbatch --parsable "${defaults[@]}" --output="results/.slurm/$1.out" "${given[@]}" "${@:2}")
    echo "${id%%;*}"
}
job=(experiments/slurm/array.sbatch "$shards" "$binary" --profile "$profile")
first=$(submit %x-%A-%a --array="1-$shards" "${job[@]}" "$@")
# What --fresh set aside was run by the first array.
kept=()
for option in "$@"; do
    [[ $option == --fresh ]] || kept+=("$option")
done
job+=("${kept[@]}")
second=$(submit %x-%A-%a --array="1-$shards" --dependency="afterany:$first" "${job[@]}")
last=$(submit %x-%j --dependency="afterany:$second" "${job[@]}")
echo "jobs $first and $second: $shards shares each; job $last gathers; their output is in results/.slurm"
echo "how the trials stand: $binary --profile $profile --status ${kept[*]:-}"
