"""Send one mail and say what happened: python send.py FROM TO SUBJECT CONTENT"""

import sys

import mapagent


def main() -> int:
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    with mapagent.Agent(deadline=120) as agent:
        report = agent.send(*sys.argv[1:])
    print(report)
    if report.reply is not mapagent.RE_SUCCESS:
        print(report.advice)
    return report.reply


if __name__ == "__main__":
    sys.exit(main())
