#!/bin/bash
# properties = {properties}
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
