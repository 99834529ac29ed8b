#!/bin/bash
# properties = {properties}
# A job needs its permit to start (see pbs.py): without it, the workflow has given the job up, and
# perhaps another job writes the same files. One that PBS starts again has taken it already.
unique="${{CRMNET_PBS_MARKER%.status}}"
until mv "$unique.permit" "$unique.started.$PBS_JOBID" 2> /dev/null; do
    [ -e "$unique.started.$PBS_JOBID" ] && break
    # A new file from another machine can take a while to appear on this one.
    if [ "$SECONDS" -ge "${{CRMNET_PBS_GRACE:-60}}" ]; then
        echo "This job does nothing, because the workflow has given it up ($unique.permit)."
        exit 1
    fi
    sleep 1
done
# Leaves the exit status in a file, which is used if PBS has forgotten the job. When PBS kills a job,
# the EXIT trap runs with status 0, so the signals are trapped too.
rm -f "$CRMNET_PBS_MARKER"
ended() {{
    trap - EXIT
    echo "$1" > "$CRMNET_PBS_MARKER.part" && mv "$CRMNET_PBS_MARKER.part" "$CRMNET_PBS_MARKER"
    exit "$1"
}}
trap 'ended $?' EXIT
trap 'ended 143' TERM
trap 'ended 130' INT
trap 'ended 129' HUP
( {exec_job} ) &
wait $!
