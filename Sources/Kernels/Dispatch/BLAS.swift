import COpenBLAS

/// OpenBLAS, which solves what healing has in closed form; called on one thread at a time by each of ours.
public enum BLAS {
  /// The processor whose kernels are in use, in OpenBLAS's words: `SkylakeX`.
  public static var core: String { String(cString: ob_core_in_use()) }

  /// Version and build options: `OpenBLAS 0.3.21 DYNAMIC_ARCH …`.
  public static var library: String { String(cString: ob_config()) }
}
