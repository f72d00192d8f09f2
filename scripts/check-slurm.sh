#!/usr/bin/env bash
# Runs completion (quick) and few-shot (smoke) as job arrays on a real Slurm, kills a task, requeues it, and compares the
# tables with those of one process. Slurm is installed from the system's packages (Debian, Ubuntu; needs root) and started
# on this machine alone: one node of two processors on the loopback device, state in a temporary directory.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf '== %s\n' "$*"; }

# That of a cluster: its jobs are none of ours.
unset SLURM_CONF
if ! { command -v slurmctld && command -v slurmd && command -v munged && command -v sbatch; } >/dev/null; then
    command -v apt-get >/dev/null || { echo "error: no Slurm here, and no apt-get to install it with" >&2; exit 2; }
    say "installing Slurm"
    apt-get update -qq
    # Their services are not to be started.
    DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends \
        slurmctld slurmd slurm-client munge >/dev/null
fi
if [[ -z ${BINARIES:-} ]]; then
    cargo build --release --bin completion --bin few-shot
    cargo build --release -p lab --example toy-decay
    BINARIES=target/release
fi
repository=$PWD

dir=$(mktemp -d)
started=()
finish() {
    local code=$?
    [[ -n ${SLURM_CONF:-} ]] && scancel --user="$(id -un)" 2>/dev/null
    # In turn: jobs, node, controller, keys.
    for ((i = ${#started[@]} - 1; i >= 0; i--)); do
        kill "${started[i]}" 2>/dev/null && wait "${started[i]}" 2>/dev/null
    done
    if ((code)); then
        tail -n 20 "$dir"/*.log results/.slurm/*-check.out 2>/dev/null || true
    fi
    rm -rf "$dir"
    exit "$code"
}
trap finish EXIT

say "starting Slurm in $dir"
mkdir "$dir/state" "$dir/spool"
chmod 755 "$dir"
head -c 1024 /dev/urandom >"$dir/key"
chmod 400 "$dir/key"
munged --foreground --force --key-file="$dir/key" --socket="$dir/munge" --pid-file="$dir/munged.pid" \
    --seed-file="$dir/seed" --log-file="$dir/munged.log" >/dev/null 2>&1 &
started+=($!)
node=$(hostname -s)
cat >"$dir/slurm.conf" <<CONF
ClusterName=check
SlurmctldHost=$node(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=socket=$dir/munge
SlurmUser=$(id -un)
SlurmdUser=$(id -un)
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/slurmctld.log
SlurmdLogFile=$dir/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=sched_interval=1,bf_interval=1
SlurmdParameters=config_overrides
ReturnToService=2
MpiDefault=none
NodeName=$node NodeAddr=127.0.0.1 CPUs=2 RealMemory=4000 State=UNKNOWN
PartitionName=check Nodes=$node Default=YES MaxTime=INFINITE State=UP
CONF
export SLURM_CONF=$dir/slurm.conf
slurmctld -D -i >/dev/null 2>&1 &
started+=($!)
slurmd -D -N "$node" >/dev/null 2>&1 &
started+=($!)

wait_for() {
    local what=$1 begin=$SECONDS
    shift
    until "$@"; do
        ((SECONDS - begin < 600)) || { echo "error: $what: not within ten minutes" >&2; return 1; }
        sleep 0.2
    done
}
node_is_up() { [[ $(sinfo --noheader --format=%T 2>/dev/null) == idle ]]; }
wait_for "the node is up" node_is_up

# The stored tables of an experiment, but not what the clock says.
tables() { (cd "$1" && sha256sum $(ls ./"$2".*csv "./$2.csv" | sort -u | grep -v 'timing\|claims')); }

# Starts a task again, and not after the two minutes that Slurm gives a node to recover.
again() {
    scontrol requeue "$1"
    at_once "$1"
}

# Starts a waiting task soon, when the node has forgotten its last start.
at_once() {
    is_pending() { [[ $(squeue --noheader --jobs="$1" --format=%T 2>/dev/null) == PENDING ]]; }
    wait_for "the task waits" is_pending "$1"
    starts_soon() {
        scontrol update jobid="$1" starttime=now+10 2>/dev/null
        [[ $(squeue --noheader --jobs="$1" --format=%S 2>/dev/null) < $(date --date=+20seconds +%FT%T) ]]
    }
    wait_for "the task may start" starts_soon "$1"
}

# What a task does when its time is over, and when it is cancelled: the toy experiment, whose trials write checkpoints.
check_signals() {
    say "time limit and scancel"
    mkdir "$dir/experiments"
    cp crates/lab/examples/toy-decay.toml "$dir/experiments"
    local job log=$dir/toy.log store=$dir/results/quick/.store/toy-decay
    job=$(sbatch --parsable --chdir="$dir" --output="$log" --array=1-1 experiments/slurm/array.sbatch 1 \
        "$repository/$BINARIES/examples/toy-decay" --set pause_ms=60000 --set checkpoint=true)
    starts() { (($(cat "$log" 2>/dev/null | grep -c ' started$') == $1)); }
    wait_for "the task runs" starts 1
    sleep 3
    scancel --batch --signal=USR1 "${job}_1"
    out_of_time() { grep -qs '^out of time: to be started again' "$log"; }
    wait_for "the task asks to be started again" out_of_time
    [[ -n $(find "$store" -name x.txt) && -z $(find "$store" -name '*.lease') ]]
    at_once "${job}_1"
    wait_for "the task runs again" starts 2
    sleep 1
    scancel "${job}_1"
    stopped() { (($(grep -c 'stopped by SIGTERM' "$log") == 2)); }
    wait_for "the cancelled task ends" stopped
    [[ -z $(find "$store" -name '*.lease') ]]
}

# Name, profile, shares, settings.
check() {
    local name=$1 profile=$2 shards=$3 binary=$BINARIES/$1 options first gather log
    say "$name ($profile): one process"
    "$binary" --profile "$profile" --results "$dir/one" --figures "$dir/one-figures" --quiet "${@:4}"
    say "$name ($profile): $shards shares"
    options=(--results "$dir/many" --figures "$dir/many-figures" "${@:4}")
    submitted=$(BINARY=$binary scripts/slurm.sh "$name" "$profile" --shards "$shards" --cpus-per-task=1 --mem-per-cpu=1G \
        --output="$dir/%x-%A-%a.log" -- "${options[@]}")
    echo "$submitted"
    first=$(sed -n 's/^jobs \([0-9]*\) and.*/\1/p' <<<"$submitted")
    gather=$(sed -n 's/.*; job \([0-9]*\) gathers.*/\1/p' <<<"$submitted")

    # A task is killed while it runs a trial, and comes again.
    log=$dir/$name-$first-1.log
    task_runs() { grep -qs ' started$' "$log"; }
    wait_for "a task runs" task_runs
    scancel --signal=KILL --full "${first}_1"
    ended() { [[ $(squeue --noheader --jobs="${first}_1" --format=%T 2>/dev/null) != RUNNING ]]; }
    wait_for "the task is killed" ended
    again "${first}_1"
    done_with() { [[ -z $(squeue --noheader --jobs="$1" 2>/dev/null) ]]; }
    wait_for "the last job ends" done_with "$gather"

    (($(grep -c '^on ' "$log") == 2 && $(grep -c "^$name, shard.* run, " "$log") == 1)) || {
        echo "error: the task was not started twice and killed once" >&2
        return 1
    }
    diff <(tables "$dir/one/$profile" "$name") <(tables "$dir/many/$profile" "$name")
    [[ -s $dir/many-figures/$profile/$name.svg ]]
    grep -h "^$name, shard" "$dir/$name-"*.log || true
    grep -h "^$name " "$dir/$name-$gather-"*.log
    # All trials were done by the shares: the last job ran none of them.
    grep -hq "^$name  *0 " "$dir/$name-$gather-"*.log
    say "$name: the same tables"
}
check_signals
check completion quick 4
# Enough trials that a task can be killed among them.
check few-shot smoke 3 --trials 150
say "passed in $SECONDS s"
