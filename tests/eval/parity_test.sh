#!/usr/bin/env bash
# Whole data sets beside the real harness (parity.py). Half an hour of one core for the two models here, so only where TINYLLM_PARITY names a folder:
# it keeps models and the harness's answers, and a run that was cut off goes on where it was. TINYLLM_PARITY_MODELS names other models.
set -eu
if [ -z "${TINYLLM_PARITY:-}" ]; then
    echo "skipped: TINYLLM_PARITY names no folder to work in"
    exit 77
fi
python="${TINYLLM_ORACLE_PYTHON:-/opt/oracle/venv/bin/python}"
[ -x "$python" ] || python=python3
exec "$python" "$TINYLLM_SOURCE_DIR/tests/eval/parity.py" "$TINYLLM" "$TINYLLM_PARITY" --models "${TINYLLM_PARITY_MODELS:-gpt2,t5}" \
    --shared "${TINYLLM_SHARED:-$TINYLLM_SOURCE_DIR/../shared}"
