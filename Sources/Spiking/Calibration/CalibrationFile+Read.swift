import HDF5

extension CalibrationFile {
  /// The k of each projection in the file `path`, in its order; NaN where nothing is spiked.
  ///
  /// Every dataset of the summary and the histograms is read, so that a damaged file is refused.
  public static func thresholds(_ path: String) throws -> [Double] {
    try HDF5Reader.read(path) { file in
      let ks = try file.doubles("summary/k").values
      for name in ["histograms/count", "histograms/mean_magnitude", "summary/silent_share"] {
        guard try file.doubles(name).shape.first == ks.count else {
          throw HDF5Error.failed(
            file: path, operation: "dataset \(name)", reason: "it has other rows than summary/k")
        }
      }
      return ks
    }
  }
}
