#include "CModelCode.h"

#pragma clang diagnostic ignored "-Wc23-extensions"

static const unsigned char configuration[] = {
#embed "../../formats/spikingbrain/transformers/configuration_spikingbrain.py"
};
static const unsigned char modeling[] = {
#embed "../../formats/spikingbrain/transformers/modeling_spikingbrain.py"
};

static const cm_file files[] = {
    {"configuration_spikingbrain.py", configuration, sizeof configuration},
    {"modeling_spikingbrain.py", modeling, sizeof modeling},
};

size_t cm_file_count(void) { return sizeof files / sizeof *files; }

cm_file cm_file_at(size_t index) { return files[index]; }
