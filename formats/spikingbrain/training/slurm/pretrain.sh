#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#SBATCH --job-name=spikingbrain
#SBATCH --ntasks-per-node=1
#SBATCH --gres=gpu:8
#SBATCH --exclusive
#SBATCH --requeue
#SBATCH --output=%x-%j.log
#
# One stage of continual pre-training on a Slurm cluster:
#
#   sbatch --nodes 16 slurm/pretrain.sh MODEL STAGE CLUSTER CHECKPOINT SAVE DATA...
#
#   MODEL       7b (gated linear and window layers) or 76b (parallel branches, experts, sinks)
#   STAGE       8k, 32k or 128k: tokens per sample. CHECKPOINT of a later stage is SAVE of the one before
#   CLUSTER     nvidia or metax: the environment in slurm/CLUSTER.env
#
# Sent again with the same SAVE, or requeued, a stage goes on from its last checkpoint.
#
# Where the numbers come from. Of the SpikingBrain report: the lengths, 150 B tokens for all stages together, for 76B TP 1,
# PP 4, EP 8 with 128 replicas at 8k, and at 32k and 128k sequence parallelism over 4 and 8 ranks. Its sequence parallelism
# is not Megatron-core's, which shares tokens among tensor ranks: TP 4 stands for both here, because both models have 4
# key/value heads. Learning rates, batches, and how the 150 B are divided are not the report's: starting points of ours.
#
# Not run on any cluster: what it calls was run on a CPU, with up to 4 processes.
set -euo pipefail
[ $# -ge 6 ] || { sed -n '/^# One stage/,/^set/p' "$0" | sed '$d; s/^# \{0,1\}//'; exit 64; }
model=$1 stage=$2 cluster=$3 checkpoint=$4 save=$5
shift 5
here=${TRAINING:-$(realpath "$checkpoint")/training}  # Slurm runs a copy of this file
source "$here/slurm/$cluster.env"

case $model in
7b) pipeline=1 experts=1 ;;
76b) pipeline=4 experts=8 ;;
*) echo "MODEL is 7b or 76b, not $model" >&2; exit 64 ;;
esac
# Tokens of a step are about the same in all stages, 4 M.
case $stage in
8k) length=8192 tensor=1 batch=512 tokens=100e9 rate=2e-5 least=1e-5 ;;
32k) length=32768 tensor=4 batch=128 tokens=30e9 rate=1e-5 least=1e-5 ;;
128k) length=131072 tensor=4 batch=32 tokens=20e9 rate=1e-5 least=1e-6 ;;
*) echo "STAGE is 8k, 32k or 128k, not $stage" >&2; exit 64 ;;
esac
more=()
[ "$model" = 7b ] || more+=(--moe-aux-loss 1e-3)
steps=${STEPS:-$(python3 -c "print(round($tokens / ($length * $batch)))")}

head=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)
export CUDA_DEVICE_MAX_CONNECTIONS=1 OMP_NUM_THREADS=4
srun --kill-on-bad-exit=1 torchrun --nnodes "$SLURM_NNODES" --nproc-per-node "${GPUS:-8}" \
  --rdzv-backend c10d --rdzv-endpoint "$head:${PORT:-29400}" --rdzv-id "$SLURM_JOB_ID" \
  "$here/pretrain_spikingbrain.py" --checkpoint "$checkpoint" --save "$save" --data "$@" \
  --seq-length "$length" --global-batch "${BATCH:-$batch}" --steps "$steps" \
  --tp "${TP:-$tensor}" --pp "${PP:-$pipeline}" --ep "${EP:-$experts}" \
  --lr "${LR:-$rate}" --min-lr "${MIN_LR:-$least}" --warmup "${WARMUP:-200}" \
  --recompute --save-every "${SAVE_EVERY:-500}" --log-every 10 ${more[@]+"${more[@]}"}
