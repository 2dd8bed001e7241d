/// A checkpoint of Megatron's legacy format: a PyTorch file for each rank.
public enum MegatronCheckpoint {
  /// The file that says which iteration counts.
  public static let trackerName = "latest_checkpointed_iteration.txt"
  /// The iteration that every version of Megatron starts from.
  public static let release = "release"
  /// The version of the format that Megatron writes.
  public static let version = 3.0

  /// The file of the rank in `directory`, relative to the checkpoint.
  public static func fileName(directory: String) -> String {
    "\(release)/\(directory)/model_optim_rng.pt"
  }
}
