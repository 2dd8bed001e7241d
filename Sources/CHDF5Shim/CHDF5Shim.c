#include "CHDF5Shim.h"

#include <stdio.h>
#include <string.h>

int ch5_prepare(void) {
  H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
  // A filter that the program does not know must not make the library load code.
  H5PLset_loading_state(0);
  return ch5_register_zstd();
}

hid_t ch5_open(const char *path) {
  const hid_t access = H5Pcreate(H5P_FILE_ACCESS);
  if (access < 0) return -1;
#if H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 12, 0))
  H5Pset_file_locking(access, 0, 1);
#endif
  const hid_t file = H5Fopen(path, H5F_ACC_RDONLY, access);
  // Closing forgets errors, which `ch5_reason` is asked for.
  const hid_t errors = H5Eget_current_stack();
  H5Pclose(access);
  H5Eset_current_stack(errors);
  return file;
}

struct reason {
  char *text;
  size_t capacity;
};

static herr_t keep(unsigned n, const H5E_error2_t *error, void *data) {
  (void)n;
  struct reason *reason = data;
  snprintf(reason->text, reason->capacity, "%s", error->desc ? error->desc : "");
  return 0;
}

void ch5_reason(char *text, size_t capacity) {
  struct reason reason = {text, capacity};
  if (capacity > 0) text[0] = 0;
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep, &reason);
}

struct links {
  ch5_visit visit;
  void *context;
};

static herr_t pass(hid_t group, const char *name, const H5L_info_t *info, void *data) {
  (void)group;
  const struct links *links = data;
  return links->visit(name,
                      info->type == H5L_TYPE_HARD       ? CH5_HARD
                      : info->type == H5L_TYPE_SOFT     ? CH5_SOFT
                      : info->type == H5L_TYPE_EXTERNAL ? CH5_EXTERNAL
                                                        : CH5_OTHER_LINK,
                      links->context);
}

int ch5_links(hid_t group, ch5_visit visit, void *context) {
  struct links links = {visit, context};
  return H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, NULL, pass, &links) >= 0;
}

int ch5_object(hid_t group, const char *name, uint64_t *address) {
#if H5_VERSION_GE(1, 12, 0)
  H5O_info1_t info;
  if (H5Oget_info_by_name1(group, name, &info, H5P_DEFAULT) < 0) return CH5_NO_OBJECT;
#else
  H5O_info_t info;
  if (H5Oget_info_by_name(group, name, &info, H5P_DEFAULT) < 0) return CH5_NO_OBJECT;
#endif
  *address = info.addr;
  return info.type == H5O_TYPE_GROUP     ? CH5_GROUP
         : info.type == H5O_TYPE_DATASET ? CH5_DATASET
                                         : CH5_OTHER_OBJECT;
}

// IEEE half precision, which the library has no name for.
static int is_half(hid_t type) {
  size_t sign, exponent, exponents, fraction, fractions;
  return H5Tget_class(type) == H5T_FLOAT && H5Tget_size(type) == 2 &&
         H5Tget_order(type) == H5T_ORDER_LE && H5Tget_precision(type) == 16 &&
         H5Tget_fields(type, &sign, &exponent, &exponents, &fraction, &fractions) >= 0 &&
         sign == 15 && exponent == 10 && exponents == 5 && fraction == 0 && fractions == 10 &&
         H5Tget_ebias(type) == 15 && H5Tget_norm(type) == H5T_NORM_IMPLIED;
}

int ch5_element(hid_t type) {
  if (H5Tequal(type, H5T_IEEE_F64LE) > 0) return CH5_F64;
  if (H5Tequal(type, H5T_IEEE_F32LE) > 0) return CH5_F32;
  if (is_half(type)) return CH5_F16;
  if (H5Tequal(type, H5T_STD_I64LE) > 0) return CH5_I64;
  if (H5Tequal(type, H5T_STD_I32LE) > 0) return CH5_I32;
  if (H5Tequal(type, H5T_STD_I16LE) > 0) return CH5_I16;
  if (H5Tequal(type, H5T_STD_I8LE) > 0) return CH5_I8;
  if (H5Tequal(type, H5T_STD_U8LE) > 0) return CH5_U8;
  if (H5Tequal(type, H5T_STD_U16LE) > 0) return CH5_TWO_BYTES;
  if (H5Tget_class(type) == H5T_OPAQUE && H5Tget_size(type) == 2) return CH5_TWO_BYTES;
  return CH5_OTHER_ELEMENT;
}

// Copies a text of at most `capacity` - 1 bytes; 0 when it is longer.
static int copy(const char *from, size_t bytes, char *text, size_t capacity) {
  const size_t length = strnlen(from, bytes);
  if (length >= capacity) return 0;
  memcpy(text, from, length);
  text[length] = 0;
  return 1;
}

int ch5_text_attribute(hid_t object, const char *name, char *text, size_t capacity) {
  const htri_t exists = H5Aexists(object, name);
  if (exists <= 0) return exists == 0 ? 0 : -1;
  const hid_t attribute = H5Aopen(object, name, H5P_DEFAULT);
  if (attribute < 0) return -1;
  const hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
  int found = -1;
  if (H5Tget_class(type) == H5T_STRING && H5Sget_simple_extent_npoints(space) == 1) {
    char *long_text = NULL, fixed[64];
    const size_t size = H5Tget_size(type);
    if (H5Tis_variable_str(type) > 0) {
      if (H5Aread(attribute, type, &long_text) >= 0 && long_text) {
        if (copy(long_text, capacity, text, capacity)) found = 1;
        H5free_memory(long_text);
      }
    } else if (size <= sizeof fixed && H5Aread(attribute, type, fixed) >= 0) {
      if (copy(fixed, size, text, capacity)) found = 1;
    }
  }
  H5Sclose(space);
  H5Tclose(type);
  H5Aclose(attribute);
  return found;
}
