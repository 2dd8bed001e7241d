import Foundation

/// Places in the repository that tests read.
public enum Repository {
  /// The directory of Package.swift.
  public static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// A small trained model with a tokenizer.
  public static let tinyQwen2 = root + "/demo/tiny-qwen2"

  /// The path of a file below Tests/Fixtures.
  public static func fixture(_ name: String) -> String { root + "/Tests/Fixtures/" + name }
}
