using System.Diagnostics;

namespace RepNoise.Reliability;

/// <summary>An input that a parser did not stand.</summary>
/// <param name="Input">The bytes.</param>
/// <param name="Problem">What it did.</param>
internal sealed record FuzzFault(byte[] Input, string Problem);

/// <summary>What a fuzzing run did.</summary>
/// <param name="Target">The parser's name.</param>
/// <param name="Inputs">Inputs that were parsed.</param>
/// <param name="Accepted">Those that were taken for sound.</param>
/// <param name="Corpus">Inputs kept because they reached code that no earlier one had; the seeds where coverage is not known.</param>
/// <param name="Longest">The longest time that one input took.</param>
/// <param name="Faults">Inputs that were not stood, one for each kind of problem.</param>
internal sealed record FuzzReport(string Target, long Inputs, long Accepted, int Corpus, TimeSpan Longest, IReadOnlyList<FuzzFault> Faults);

/// <summary>
/// Feeds a parser with mutated inputs and watches for what it must never do: throw anything but its documented exception, take
/// over a second, or allocate more than 10 times the input and what its target allows, 1 MB as a rule. Where the code is instrumented, inputs that reach new
/// code are kept and mutated further.
/// </summary>
/// <param name="target">The parser.</param>
/// <param name="seed">Of the mutations.</param>
/// <param name="coverage">The instrumented code's counters; null where it is not instrumented.</param>
internal sealed class Fuzzer(FuzzTarget target, int seed, Coverage? coverage = null)
{
    private const int AllowedFactor = 10;
    private static readonly TimeSpan AllowedTime = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly Random random = new(seed);
    private readonly List<byte[]> corpus = [.. target.Seeds];
    private readonly Dictionary<string, FuzzFault> faults = [];
    private long accepted;
    private long inputs;
    private TimeSpan longest;
    private byte[]? current;
    private long currentSince;

    /// <param name="time">When to stop.</param>
    /// <param name="most">How many inputs at most.</param>
    /// <param name="tell">Takes progress every minute; null for none.</param>
    public FuzzReport Run(TimeSpan time, long most, Action<string>? tell = null)
    {
        using var watch = new Timer(_ => Watch(), null, Patience, Patience);

        // What is made once, the first time that something is parsed, is no input's fault.
        foreach (byte[] sound in target.Seeds.Concat(target.Seeds).Append([])) target.Parse(sound);
        var mutator = new Mutator(random, target.Pieces);
        foreach (byte[] sound in target.Seeds) Try(sound);
        long started = Stopwatch.GetTimestamp(), told = started;
        while (inputs < most && Stopwatch.GetElapsedTime(started) < time)
        {
            byte[] input = mutator.Mutate(Pick(), Pick());
            if (Try(input)) corpus.Add(input);
            if (tell is null || Stopwatch.GetElapsedTime(told) < TimeSpan.FromMinutes(1)) continue;
            told = Stopwatch.GetTimestamp();
            tell($"{target.Name}: {inputs} inputs, corpus {corpus.Count}, {faults.Count} faults");
        }

        return new FuzzReport(target.Name, inputs, accepted, corpus.Count, longest, [.. faults.Values]);
    }

    /// <summary>
    /// The later an input was found, the deeper it reaches: half of the picks are among the last. Of two, the shorter is taken more
    /// often: it costs less, and a change to it is more likely to touch what matters.
    /// </summary>
    private byte[] Pick()
    {
        int first = random.Next(2) == 0 ? corpus.Count - Math.Min(corpus.Count, 16) : 0;
        byte[] one = corpus[random.Next(first, corpus.Count)], other = corpus[random.Next(first, corpus.Count)];
        return other.Length < one.Length && random.Next(4) != 0 ? other : one;
    }

    /// <returns>True where the input reached code that none had reached.</returns>
    private bool Try(byte[] input)
    {
        inputs++;
        (currentSince, current) = (Stopwatch.GetTimestamp(), input);
        coverage?.Clear();
        long allocated = GC.GetAllocatedBytesForCurrentThread(), begun = Stopwatch.GetTimestamp();
        long given = input.Length;
        try
        {
            var outcome = target.Parse(input);
            accepted += outcome.Accepted ? 1 : 0;
            given += outcome.FurtherBytes;
        }
#pragma warning disable CA1031 // Whatever it is, it is what is looked for.
        catch (Exception error)
#pragma warning restore CA1031
        {
            Add(input, $"{error.GetType().Name}: {error.Message}", error.GetType().Name + error.StackTrace?.Split('\n')[0]);
        }

        var took = Stopwatch.GetElapsedTime(begun);
        allocated = GC.GetAllocatedBytesForCurrentThread() - allocated;
        current = null;
        if (took > longest) longest = took;
        if (took > AllowedTime && Again(input) > AllowedTime) Add(input, $"{took.TotalSeconds:0.0} s for {input.Length} bytes", "time");
        if (allocated > target.AllowedBytes + AllowedFactor * given) Add(input, $"{allocated} bytes allocated for {given}", "memory");
        return coverage?.HasNew() == true;
    }

    /// <summary>A parser that does not come back cannot be interrupted: the input is kept, and the process ends.</summary>
    private void Watch()
    {
        if (current is not { } input || Stopwatch.GetElapsedTime(currentSince) < Patience) return;
        string path = Path.Combine(Path.GetTempPath(), $"fuzz-{target.Name}-hang.bin");
        File.WriteAllBytes(path, input);
        Environment.FailFast($"{target.Name} hangs on {path}: {Convert.ToBase64String(input)}");
    }

    /// <summary>The time of a second try: another process may have had the first one's.</summary>
    private TimeSpan Again(byte[] input)
    {
        long begun = Stopwatch.GetTimestamp();
        target.Parse(input);
        return Stopwatch.GetElapsedTime(begun);
    }

    private void Add(byte[] input, string problem, string kind)
    {
        if (!faults.TryGetValue(kind, out var known) || known.Input.Length > input.Length) faults[kind] = new FuzzFault(input, problem);
    }
}
