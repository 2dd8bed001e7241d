"""What programs that `spikingbrain bench --against` asks have in common."""
import sys


def tokens(count, vocabulary):
    """Tokens to measure with: which ones changes nothing."""
    return [(i * 37 + 5) % vocabulary for i in range(count)]


def answer(model):
    """Answers lines of standard input by the model's methods of these names: `name`, `next IDS`, `prefill N`,
    `decode N P`."""
    for line in sys.stdin:
        question, *numbers = line.split()
        print(getattr(model, question)(*map(int, numbers)), flush=True)
