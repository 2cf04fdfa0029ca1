#!/usr/bin/env bash
# A Slurm of one node on this machine, for tests: start | stop. Needs root and Debian's slurm-wlm and munge. It belongs to the process
# that calls `start` until that one calls `stop` or ends; others wait for it, ten minutes at most.
set -euo pipefail
state=${LOCALGRAD_SLURM_STATE:-/tmp/localgrad-slurm}

lock=$state.lock

acquire() {
  local owner=
  for _ in $(seq 600); do
    if mkdir "$lock" 2>/dev/null; then
      echo "$PPID" >"$lock/owner"
      return 0
    fi
    owner=$(cat "$lock/owner" 2>/dev/null || true)
    [ "$owner" = "$PPID" ] && return 0
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then rm -rf "$lock"; else sleep 1; fi
  done
  echo "process $owner uses the Slurm of this machine" >&2
  return 1
}

end_daemons() {
  pkill -x slurmd || true
  pkill -x slurmctld || true
  for _ in $(seq 50); do
    pgrep -x slurmd >/dev/null || pgrep -x slurmctld >/dev/null || return 0
    sleep 0.2
  done
}

start() {
  acquire
  trap '[ $? -eq 0 ] || stop' EXIT
  # Of an owner that was killed.
  end_daemons
  if ! command -v slurmctld slurmd munged sbatch >/dev/null; then
    apt-get update -qq >/dev/null 2>&1 || true
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge >/dev/null 2>&1
  fi
  rm -rf "$state"
  mkdir -p "$state"/{controller,node,munge} /etc/slurm
  [ -s /etc/munge/munge.key ] || { mkdir -p /etc/munge; dd if=/dev/urandom of=/etc/munge/munge.key bs=1024 count=1 status=none; }
  chown -R munge:munge /etc/munge /var/lib/munge /var/log/munge "$state/munge" 2>/dev/null || true
  chmod 400 /etc/munge/munge.key
  mkdir -p /run/munge && chown munge:munge /run/munge && chmod 755 /run/munge
  pgrep -x munged >/dev/null || runuser -u munge -- munged
  local host cores
  host=$(hostname -s)
  cores=$(nproc)
  cat >/etc/slurm/slurm.conf <<CONF
ClusterName=localgrad
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$state/controller
SlurmdSpoolDir=$state/node
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/builtin
ReturnToService=2
MpiDefault=none
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores State=UNKNOWN
PartitionName=test Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
  slurmctld
  slurmd
  for _ in $(seq 60); do
    sinfo -h -o %t 2>/dev/null | grep -qx 'idle\|mix\|alloc' && return 0
    sleep 0.5
  done
  echo 'the node did not come up:' >&2
  tail -n 5 "$state"/*.log >&2
  return 1
}

stop() {
  [ "$(cat "$lock/owner" 2>/dev/null)" = "$PPID" ] || return 0
  end_daemons
  rm -rf "$lock"
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  *) echo "usage: $0 start|stop" >&2; exit 2 ;;
esac
