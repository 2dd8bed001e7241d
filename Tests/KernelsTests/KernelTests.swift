import Testing

@testable import Kernels

/// The parent of all suites here.
@Suite struct KernelTests {}

/// The signature shared by `WindowAttention.apply` and its reference.
typealias AttentionFunction = (
  UnsafePointer<Float>, Int, Int, HeadLayout, [KeyValueSegment], Int, UnsafeMutablePointer<Float>
) -> Void

/// The forms of gated linear attention, which must all agree.
struct GatedLinearAttentionForm {
  var name: String
  var function:
    (
      UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>, Int,
      HeadLayout, UnsafeMutablePointer<Float>, UnsafeMutablePointer<Float>
    ) -> Void

  static var all: [GatedLinearAttentionForm] {
    [
      GatedLinearAttentionForm(name: "reference", function: GatedLinearAttention.reference),
      GatedLinearAttentionForm(name: "apply", function: GatedLinearAttention.apply),
    ]
  }
}
