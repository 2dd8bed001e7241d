#include "CModelCode.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char configuration[] = {
#embed "../../formats/spikingbrain/transformers/configuration_spikingbrain.py"
};
static const unsigned char modeling[] = {
#embed "../../formats/spikingbrain/transformers/modeling_spikingbrain.py"
};
static const unsigned char packed_text[] = {
#embed "../../formats/spikingbrain/training/packed_text.py"
};
static const unsigned char trainer[] = {
#embed "../../formats/spikingbrain/training/train_transformers.py"
};
static const unsigned char fsdp[] = {
#embed "../../formats/spikingbrain/training/accelerate_fsdp.yaml"
};
static const unsigned char pretrain[] = {
#embed "../../formats/spikingbrain/training/pretrain_spikingbrain.py"
};
static const unsigned char megatron_init[] = {
#embed "../../formats/spikingbrain/training/spikingbrain_megatron/__init__.py"
};
static const unsigned char megatron_checkpoint[] = {
#embed "../../formats/spikingbrain/training/spikingbrain_megatron/checkpoint.py"
};
static const unsigned char megatron_cpu[] = {
#embed "../../formats/spikingbrain/training/spikingbrain_megatron/cpu.py"
};
static const unsigned char megatron_layers[] = {
#embed "../../formats/spikingbrain/training/spikingbrain_megatron/layers.py"
};
static const unsigned char megatron_model[] = {
#embed "../../formats/spikingbrain/training/spikingbrain_megatron/model.py"
};
static const unsigned char slurm_pretrain[] = {
#embed "../../formats/spikingbrain/training/slurm/pretrain.sh"
};
static const unsigned char slurm_metax[] = {
#embed "../../formats/spikingbrain/training/slurm/metax.env"
};
static const unsigned char slurm_nvidia[] = {
#embed "../../formats/spikingbrain/training/slurm/nvidia.env"
};

static const cm_file transformers[] = {
    {"configuration_spikingbrain.py", configuration, sizeof configuration},
    {"modeling_spikingbrain.py", modeling, sizeof modeling},
};

static const cm_file trainer_files[] = {
    {"training/packed_text.py", packed_text, sizeof packed_text},
    {"training/train_transformers.py", trainer, sizeof trainer},
    {"training/accelerate_fsdp.yaml", fsdp, sizeof fsdp},
};

// The code for transformers lies in the package that uses its mathematics.
static const cm_file megatron_files[] = {
    {"training/packed_text.py", packed_text, sizeof packed_text},
    {"training/pretrain_spikingbrain.py", pretrain, sizeof pretrain},
    {"training/spikingbrain_megatron/__init__.py", megatron_init, sizeof megatron_init},
    {"training/spikingbrain_megatron/checkpoint.py", megatron_checkpoint,
     sizeof megatron_checkpoint},
    {"training/spikingbrain_megatron/cpu.py", megatron_cpu, sizeof megatron_cpu},
    {"training/spikingbrain_megatron/layers.py", megatron_layers, sizeof megatron_layers},
    {"training/spikingbrain_megatron/model.py", megatron_model, sizeof megatron_model},
    {"training/spikingbrain_megatron/configuration_spikingbrain.py", configuration,
     sizeof configuration},
    {"training/spikingbrain_megatron/modeling_spikingbrain.py", modeling, sizeof modeling},
    {"training/slurm/pretrain.sh", slurm_pretrain, sizeof slurm_pretrain},
    {"training/slurm/metax.env", slurm_metax, sizeof slurm_metax},
    {"training/slurm/nvidia.env", slurm_nvidia, sizeof slurm_nvidia},
};

static const struct {
  const cm_file *files;
  size_t count;
} groups[] = {
    [CM_TRANSFORMERS] = {transformers, sizeof transformers / sizeof *transformers},
    [CM_TRAINER] = {trainer_files, sizeof trainer_files / sizeof *trainer_files},
    [CM_MEGATRON] = {megatron_files, sizeof megatron_files / sizeof *megatron_files},
};

size_t cm_file_count(cm_group group) { return groups[group].count; }

cm_file cm_file_at(cm_group group, size_t index) { return groups[group].files[index]; }
