using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>A phase, such as <c>forward</c> or, within it, <c>noise</c>.</summary>
/// <param name="Name">Its scope's name.</param>
/// <param name="Parent">The phase around it, or null.</param>
/// <param name="Sum">Its time, that of phases in it included.</param>
internal sealed record ProfilePhase(string Name, ProfilePhase? Parent, ProfileSum Sum)
{
    public int Depth => Parent is null ? 0 : Parent.Depth + 1;

    /// <summary>Names from the outermost: <c>forward/noise</c>.</summary>
    public string Path => Parent is null ? Name : $"{Parent.Path}/{Name}";
}

/// <summary>
/// What was recorded of a number of steps, summed in three ways: by operation, by phase and by layer. Each is complete: the rows of
/// operations and <see cref="OutsideOperations"/>, those of the outermost phases and <see cref="OutsidePhases"/>, and those of layers
/// and <see cref="OutsideLayers"/>, add up to <see cref="Total"/>, tick for tick.
/// </summary>
internal sealed class Profile
{
    private readonly DeviceLimits? limits;
    private readonly Dictionary<string, ProfileSum> operations = [];
    private readonly List<ProfilePhase> phases = [];
    private readonly SortedDictionary<int, Dictionary<string, ProfileSum>> layers = [];
    private readonly List<long> steps = [];

    private Profile(DeviceLimits? limits) => this.limits = limits;

    /// <summary>Ticks of each step.</summary>
    public IReadOnlyList<long> StepTicks => steps;

    /// <summary>All steps, with every operation's cost.</summary>
    public ProfileSum Total { get; } = new();

    /// <summary>By name, the longest first; the time of an operation within another counts for the inner one.</summary>
    public IReadOnlyList<(string Name, ProfileSum Sum)> Operations { get; private set; } = [];

    public ProfileSum OutsideOperations { get; } = new();

    /// <summary>In the order in which they first began, inner ones behind the one around them.</summary>
    public IReadOnlyList<ProfilePhase> Phases { get; private set; } = [];

    public ProfileSum OutsidePhases { get; } = new();

    /// <summary>Of each layer, its time in each outermost phase.</summary>
    public IReadOnlyDictionary<int, Dictionary<string, ProfileSum>> Layers => layers;

    /// <summary>Time in each outermost phase that belongs to no layer; the key "" is that outside phases.</summary>
    public Dictionary<string, ProfileSum> OutsideLayers { get; } = [];

    /// <summary>Threads of the device that worked at all; 0 where it tells of none.</summary>
    public int Threads { get; private init; }

    /// <summary>Sums the events of whole steps.</summary>
    /// <param name="events">In the order of their begins.</param>
    /// <param name="work">Threads at work within them.</param>
    /// <param name="limits">Of the device, or null.</param>
    public static Profile Of(ReadOnlySpan<ProfileEvent> events, ReadOnlySpan<WorkSpan> work, DeviceLimits? limits)
    {
        var (workOf, threads) = SumWork(events.Length, work);
        var profile = new Profile(limits) { Threads = threads };
        var phaseOf = new ProfilePhase?[events.Length];
        var layerOf = new int[events.Length];
        long[] own = OwnTicks(events);
        for (int e = 0; e < events.Length; e++)
        {
            ref readonly var item = ref events[e];
            (phaseOf[e], layerOf[e]) = item.Parent < 0 ? (null, -1) : (phaseOf[item.Parent], layerOf[item.Parent]);
            if (item.IsOperation) profile.AddOperation(item, own[e], workOf[e]);
            else profile.AddScope(item, ref phaseOf[e], ref layerOf[e]);
            profile.AddOwn(item, own[e], workOf[e], phaseOf[e], layerOf[e]);
        }

        profile.Operations = [.. profile.operations.OrderByDescending(pair => pair.Value.Ticks).Select(pair => (pair.Key, pair.Value))];
        profile.Phases = [.. profile.Below(null)];
        return profile;
    }

    /// <summary>Share of the time of a group in which its threads worked: 1 where all did all the time. Null where no thread is known.</summary>
    public double? Busy(ProfileSum sum) => Threads > 0 && sum.Ticks > 0 ? sum.WorkTicks / ((double)Threads * sum.Ticks) : null;

    private static (long[] OfEvent, int Threads) SumWork(int events, ReadOnlySpan<WorkSpan> work)
    {
        long[] sums = new long[events];
        int threads = 0;
        foreach (var span in work)
        {
            sums[span.Event] += span.End - span.Begin;
            threads = Math.Max(threads, span.Worker + 1);
        }

        return (sums, threads);
    }

    /// <summary>Time of each event without the events in it.</summary>
    private static long[] OwnTicks(ReadOnlySpan<ProfileEvent> events)
    {
        long[] own = new long[events.Length];
        for (int e = 0; e < events.Length; e++)
        {
            long ticks = events[e].End - events[e].Begin;
            own[e] += ticks;
            if (events[e].Parent >= 0) own[events[e].Parent] -= ticks;
        }

        return own;
    }

    private static ProfilePhase Outermost(ProfilePhase phase) => phase.Parent is null ? phase : Outermost(phase.Parent);

    private void AddOperation(in ProfileEvent operation, long ownTicks, long workTicks)
    {
        if (!operations.TryGetValue(operation.Name, out var sum)) operations.Add(operation.Name, sum = new ProfileSum());
        sum.AddCall(ownTicks);
        sum.AddCost(operation, workTicks, limits);
    }

    private void AddScope(in ProfileEvent scope, ref ProfilePhase? phase, ref int layer)
    {
        long ticks = scope.End - scope.Begin;
        switch (scope.Name)
        {
            case Phase.Step:
                steps.Add(ticks);
                Total.AddCall(ticks);
                break;
            case Phase.MicroBatch:
                break;
            case Phase.Layer:
                layer = scope.Index;
                break;
            default:
                phase = PhaseBelow(phase, scope.Name);
                phase.Sum.AddCall(ticks);
                break;
        }
    }

    private ProfilePhase PhaseBelow(ProfilePhase? parent, string name)
    {
        var phase = phases.Find(known => known.Name == name && ReferenceEquals(known.Parent, parent));
        if (phase is null) phases.Add(phase = new ProfilePhase(name, parent, new ProfileSum()));
        return phase;
    }

    /// <summary>Every tick is some event's own, so what is summed from here misses and repeats none.</summary>
    private void AddOwn(in ProfileEvent item, long ownTicks, long workTicks, ProfilePhase? phase, int layer)
    {
        string outermost = phase is null ? "" : Outermost(phase).Name;
        var byPhase = layer < 0 ? OutsideLayers : LayerSums(layer);
        if (!byPhase.TryGetValue(outermost, out var ofLayer)) byPhase.Add(outermost, ofLayer = new ProfileSum());
        ofLayer.AddCall(ownTicks);
        ofLayer.AddCost(item, workTicks, limits);
        Total.AddCost(item, workTicks, limits);
        for (var around = phase; around is not null; around = around.Parent) around.Sum.AddCost(item, workTicks, limits);
        if (!item.IsOperation) OutsideOperations.AddCall(ownTicks);
        if (phase is not null) return;
        OutsidePhases.AddCall(ownTicks);
        OutsidePhases.AddCost(item, workTicks, limits);
    }

    private Dictionary<string, ProfileSum> LayerSums(int layer)
    {
        if (!layers.TryGetValue(layer, out var sums)) layers.Add(layer, sums = []);
        return sums;
    }

    private IEnumerable<ProfilePhase> Below(ProfilePhase? parent) => phases
        .Where(phase => ReferenceEquals(phase.Parent, parent))
        .SelectMany(phase => Below(phase).Prepend(phase));
}
