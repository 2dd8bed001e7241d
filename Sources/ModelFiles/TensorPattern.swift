/// A pattern of tensor names: `*` stands for any text, `?` for one character, everything else for itself.
struct TensorPattern {
  private let parts: [Unicode.Scalar]

  init(_ text: String) { parts = Array(text.unicodeScalars) }

  /// Whether all of `name` is such a name.
  func matches(_ name: String) -> Bool {
    let name = Array(name.unicodeScalars)
    var part = 0, place = 0
    // Where the last star is, and where the text behind what it stands for begins.
    var star: (part: Int, place: Int)?
    while place < name.count {
      if part < parts.count, parts[part] == "*" {
        star = (part, place)
        part += 1
      } else if part < parts.count, parts[part] == "?" || parts[part] == name[place] {
        part += 1
        place += 1
      } else if let last = star {
        star = (last.part, last.place + 1)
        (part, place) = (last.part + 1, last.place + 1)
      } else {
        return false
      }
    }
    return parts[part...].allSatisfy { $0 == "*" }
  }
}
