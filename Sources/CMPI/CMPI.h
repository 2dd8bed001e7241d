// Open MPI is called from CMPIShim: its constants are macros that Swift does not see. This module
// only says where it lies.
