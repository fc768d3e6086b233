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

    /// <summary>Sums the events of whole steps.</summary>
    public static Profile Of(ReadOnlySpan<ProfileEvent> events, DeviceLimits? limits)
    {
        var profile = new Profile(limits);
        var phaseOf = new ProfilePhase?[events.Length];
        var layerOf = new int[events.Length];
        long[] own = OwnTicks(events);
        for (int e = 0; e < events.Length; e++)
        {
            ref readonly var item = ref events[e];
            (phaseOf[e], layerOf[e]) = item.Parent < 0 ? (null, -1) : (phaseOf[item.Parent], layerOf[item.Parent]);
            if (item.IsOperation) profile.AddOperation(item, own[e]);
            else profile.AddScope(item, ref phaseOf[e], ref layerOf[e]);
            profile.AddOwn(item, own[e], phaseOf[e], layerOf[e]);
        }

        profile.Operations = [.. profile.operations.OrderByDescending(pair => pair.Value.Ticks).Select(pair => (pair.Key, pair.Value))];
        profile.Phases = [.. profile.Below(null)];
        return profile;
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

    private void AddOperation(in ProfileEvent operation, long ownTicks)
    {
        if (!operations.TryGetValue(operation.Name, out var sum)) operations.Add(operation.Name, sum = new ProfileSum());
        sum.AddCall(ownTicks);
        sum.AddCost(operation.Cost, limits);
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
    private void AddOwn(in ProfileEvent item, long ownTicks, ProfilePhase? phase, int layer)
    {
        var cost = item.IsOperation ? item.Cost : default;
        string outermost = phase is null ? "" : Outermost(phase).Name;
        var byPhase = layer < 0 ? OutsideLayers : LayerSums(layer);
        if (!byPhase.TryGetValue(outermost, out var ofLayer)) byPhase.Add(outermost, ofLayer = new ProfileSum());
        ofLayer.AddCall(ownTicks);
        ofLayer.AddCost(cost, limits);
        Total.AddCost(cost, limits);
        for (var around = phase; around is not null; around = around.Parent) around.Sum.AddCost(cost, limits);
        if (!item.IsOperation) OutsideOperations.AddCall(ownTicks);
        if (phase is not null) return;
        OutsidePhases.AddCall(ownTicks);
        OutsidePhases.AddCost(cost, limits);
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
