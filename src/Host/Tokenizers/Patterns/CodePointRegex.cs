namespace RepNoise.Host.Tokenizers.Patterns;

/// <summary>
/// Regular expressions over code points: a backtracking machine with an explicit stack, so that no text can overflow the
/// call stack. The patterns that published tokenizers carry scan every run of characters a constant number of times; for any
/// other pattern the work is bounded in proportion to the text, beyond which matching stops with an error. Immutable and
/// safe for concurrent use.
/// </summary>
internal sealed class CodePointRegex
{
    /// <summary>Steps granted to any text, and for every UTF-16 unit of it; the known patterns need some twenty a unit.</summary>
    private const long BaseSteps = 1_000_000;
    private const long StepsPerUnit = 200;

    /// <summary>Open choices granted in the same way: they bound the memory, at 12 bytes each.</summary>
    private const long BaseChoices = 1 << 14;
    private const long ChoicesPerUnit = 16;

    /// <summary>The patterns of published tokenizers have a few hundred characters; each may cost a hundred bytes of memory.</summary>
    public const int LongestPattern = 1 << 12;

    /// <summary>A thread keeps its stack for the next text unless one text has made it larger than this.</summary>
    private const int KeptChoices = 1 << 16;

    [ThreadStatic]
    private static List<Choice>? stackOfThread;

    private static readonly CodePointSet WordCharacters = new(CodePointSet.WordOutsideClass);

    private readonly Instruction[] code;

    private CodePointRegex(Instruction[] code) => this.code = code;

    /// <exception cref="RegexSyntaxException">The pattern is malformed or needs something that is not supported.</exception>
    public static CodePointRegex Parse(string pattern) => pattern.Length <= LongestPattern
        ? new CodePointRegex(RegexCompiler.Compile(RegexParser.Parse(pattern)))
        : throw new RegexSyntaxException($"the pattern has {pattern.Length} characters", $"at most {LongestPattern}");

    /// <summary>
    /// The leftmost match at or after <paramref name="from"/> in well-formed <paramref name="text"/>; of several there, the
    /// one that the pattern prefers. <paramref name="steps"/> accumulates the work over calls on the same text.
    /// </summary>
    /// <exception cref="RegexWorkException">The text's budget is used up.</exception>
    public bool Find(ReadOnlySpan<char> text, int from, ref long steps, out int start, out int end)
    {
        if (stackOfThread is null || stackOfThread.Capacity > KeptChoices)
            stackOfThread = [];
        var stack = stackOfThread;
        stack.Clear();
        for (start = from; start <= text.Length; start += CodePoint.UnitsAt(text, start))
        {
            end = Run(text, start, 0, stack, ref steps);
            if (end >= 0)
                return true;
        }
        end = -1;
        return false;
    }

    /// <summary>
    /// What to do when the present path fails: go on at <c>Pc</c>, at <c>Position</c> or, for a run, at every end from there
    /// down (or up) to <c>Limit</c>.
    /// </summary>
    private readonly record struct Choice(int Pc, int Position, int Limit);

    /// <summary>Runs from <paramref name="pc"/> to its Accept; the end of the match, or -1. Leaves the stack as it found it.</summary>
    private int Run(ReadOnlySpan<char> text, int position, int pc, List<Choice> stack, ref long steps)
    {
        int floor = stack.Count;
        long maxSteps = BaseSteps + StepsPerUnit * text.Length;
        long maxChoices = BaseChoices + ChoicesPerUnit * text.Length;
        while (true)
        {
            if (++steps > maxSteps || stack.Count > maxChoices)
                throw new RegexWorkException(steps);
            ref readonly var instruction = ref code[pc];
            if (instruction.Op == Opcode.Accept)
            {
                stack.RemoveRange(floor, stack.Count - floor);
                return position;
            }
            if (Step(text, in instruction, stack, ref position, ref pc, ref steps))
                continue;
            if (stack.Count == floor)
                return -1;
            Backtrack(text, stack, out position, out pc);
        }
    }

    private bool Step(
        ReadOnlySpan<char> text, in Instruction instruction, List<Choice> stack, ref int position, ref int pc, ref long steps)
    {
        switch (instruction.Op)
        {
            case Opcode.Literal:
                pc++;
                return TakeOne(text, ref position, instruction.A);
            case Opcode.One:
                pc++;
                return TakeOne(text, ref position, instruction.Set!);
            case Opcode.Run:
                return TakeRun(text, in instruction, stack, ref position, ref pc, ref steps);
            case Opcode.Fork:
                stack.Add(new Choice(instruction.B, position, position));
                pc = instruction.A;
                return true;
            case Opcode.Jump:
                pc = instruction.A;
                return true;
            case Opcode.Anchor:
                pc++;
                return Holds((Anchor)instruction.A, text, position);
            default:
                return Enclosed(text, in instruction, stack, ref position, ref pc, ref steps);
        }
    }

    private bool Enclosed(
        ReadOnlySpan<char> text, in Instruction instruction, List<Choice> stack, ref int position, ref int pc, ref long steps)
    {
        int end = Run(text, position, pc + 1, stack, ref steps);
        pc = instruction.A;
        if (instruction.Op == Opcode.LookNot)
            return end < 0;
        if (instruction.Op == Opcode.Atomic && end >= 0)
            position = end;
        return end >= 0;
    }

    private static bool TakeOne(ReadOnlySpan<char> text, ref int position, int codePoint)
    {
        if (position >= text.Length || CodePoint.At(text, position) != codePoint)
            return false;
        position += CodePoint.UnitsAt(text, position);
        return true;
    }

    private static bool TakeOne(ReadOnlySpan<char> text, ref int position, CodePointSet set)
    {
        if (position >= text.Length || !set.Contains(CodePoint.At(text, position)))
            return false;
        position += CodePoint.UnitsAt(text, position);
        return true;
    }

    private static bool TakeRun(
        ReadOnlySpan<char> text, in Instruction run, List<Choice> stack, ref int position, ref int pc, ref long steps)
    {
        int count = 0;
        while (count < run.A)
        {
            if (!TakeOne(text, ref position, run.Set!))
                return false;
            count++;
        }
        int shortest = position;
        pc++;
        if (run.Greed == Greed.Lazy)
        {
            PushLonger(text, in run, stack, position, count, pc, ref steps);
            return true;
        }
        while (count != run.B && TakeOne(text, ref position, run.Set!))
            count++;
        steps += count;
        if (run.Greed == Greed.Greedy && position > shortest)
            stack.Add(new Choice(pc, position, shortest));
        return true;
    }

    /// <summary>A lazy run may grow, one code point at a time, to the end that is found here.</summary>
    private static void PushLonger(
        ReadOnlySpan<char> text, in Instruction run, List<Choice> stack, int position, int count, int pc, ref long steps)
    {
        int longest = position;
        while (count != run.B && TakeOne(text, ref longest, run.Set!))
            count++;
        steps += count;
        if (longest > position)
            stack.Add(new Choice(pc, position, longest));
    }

    private static void Backtrack(ReadOnlySpan<char> text, List<Choice> stack, out int position, out int pc)
    {
        var choice = stack[^1];
        stack.RemoveAt(stack.Count - 1);
        pc = choice.Pc;
        position = choice.Position;
        if (choice.Position == choice.Limit)
            return;
        position = choice.Position > choice.Limit
            ? CodePoint.Before(text, position)
            : position + CodePoint.UnitsAt(text, position);
        if (position != choice.Limit)
            stack.Add(choice with { Position = position });
    }

    private static bool Holds(Anchor anchor, ReadOnlySpan<char> text, int position) => anchor switch
    {
        Anchor.TextStart => position == 0,
        Anchor.TextEnd => position == text.Length,
        Anchor.TextEndOrFinalNewline => position == text.Length || (position == text.Length - 1 && text[position] == '\n'),
        Anchor.LineStart => position == 0 || (position < text.Length && text[position - 1] == '\n'),
        Anchor.LineEnd => position == text.Length || text[position] == '\n',
        Anchor.WordBoundary => IsBoundary(text, position),
        _ => !IsBoundary(text, position),
    };

    private static bool IsBoundary(ReadOnlySpan<char> text, int position)
    {
        bool before = position > 0 && WordCharacters.Contains(CodePoint.At(text, CodePoint.Before(text, position)));
        bool after = position < text.Length && WordCharacters.Contains(CodePoint.At(text, position));
        return before != after;
    }
}
