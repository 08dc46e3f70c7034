#!/bin/sh
# A Slurm of a single node on this machine: sh tests/slurm/start.sh [accounting]
# Needs Debian's slurm-wlm and munge, with accounting also slurmdbd and mariadb-server, and root; `stop` ends it.
set -eu
state=/var/lib/slurm-of-one-node
etc=/etc/slurm

stop() {
    for name in slurmctld slurmd slurmdbd munged mariadbd; do
        if [ -s "$state/$name.pid" ]; then
            kill "$(cat "$state/$name.pid")" 2> /dev/null || true
        fi
    done
    sleep 2
    rm -rf "$state"
}

wait_for() {
    for _ in $(seq 60); do
        if "$@" > /dev/null 2>&1; then
            return
        fi
        sleep 1
    done
    echo "error: no answer from: $*" >&2
    exit 1
}

stop
if [ "${1:-}" = stop ]; then
    exit
fi
mkdir -p "$state/spool" "$etc" /run/munge
chown munge: /run/munge
su -s /bin/sh munge -c "munged --force --pid-file=/run/munge/munged.pid"
ln -s /run/munge/munged.pid "$state/munged.pid"

# without accounting sacct says so and fails; squeue remembers what has ended for MinJobAge seconds
accounting="AccountingStorageType=accounting_storage/none"
if [ "${1:-}" = accounting ]; then
    accounting="AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=localhost
JobAcctGatherType=jobacct_gather/none"
fi
cat > "$etc/slurm.conf" << EOF
ClusterName=one
SlurmctldHost=$(hostname)
SlurmUser=root
AuthType=auth/munge
StateSaveLocation=$state/spool
SlurmdSpoolDir=$state/spool/slurmd
SlurmctldPidFile=$state/slurmctld.pid
SlurmdPidFile=$state/slurmd.pid
SlurmctldLogFile=$state/slurmctld.log
SlurmdLogFile=$state/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
MinJobAge=${MIN_JOB_AGE:-300}
SchedulerParameters=sched_interval=2
$accounting
NodeName=$(hostname) CPUs=$(nproc) RealMemory=8000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF

if [ "${1:-}" = accounting ]; then
    mkdir -p "$state/sql" /run/mysqld
    chown mysql: "$state/sql" /run/mysqld
    mariadb-install-db --user=mysql --datadir="$state/sql" > /dev/null 2>&1
    mariadbd --user=mysql --datadir="$state/sql" --socket=/run/mysqld/mysqld.sock --skip-networking \
        --pid-file="$state/sql/pid" > "$state/sql.log" 2>&1 &
    ln -s "$state/sql/pid" "$state/mariadbd.pid"
    wait_for mariadb-admin ping
    mariadb -e "create user slurm@localhost; grant all on slurm_acct_db.* to slurm@localhost"
    cat > "$etc/slurmdbd.conf" << EOF
AuthType=auth/munge
DbdHost=localhost
SlurmUser=root
PidFile=$state/slurmdbd.pid
LogFile=$state/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=slurm
StorageLoc=slurm_acct_db
EOF
    chmod 600 "$etc/slurmdbd.conf"
    slurmdbd
    wait_for sacctmgr -n list cluster
    sacctmgr -i add cluster one > /dev/null || true
fi
slurmctld -c
slurmd -c
wait_for sh -c 'test "$(sinfo -h -o %T)" = idle'
sinfo
