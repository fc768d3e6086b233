using System.Diagnostics;
using System.Text.Json;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>A profile as JSON: the tables' rows with sums over all recorded steps, in seconds, FLOPs and bytes.</summary>
internal static class ProfileJson
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true };

    /// <summary>Writes a profile.</summary>
    /// <param name="stream">Takes the JSON.</param>
    /// <param name="profile">The sums.</param>
    /// <param name="limits">Of the device, or null.</param>
    /// <param name="describe">Writes what else is to be known of the run, as properties.</param>
    public static void Write(Stream stream, Profile profile, DeviceLimits? limits, Action<Utf8JsonWriter> describe)
    {
        using var json = new Utf8JsonWriter(stream, Indented);
        json.WriteStartObject();
        describe(json);
        WriteLimits(json, limits);
        json.WriteNumber("threads", profile.Threads);
        json.WriteStartArray("step_seconds");
        foreach (long ticks in profile.StepTicks) json.WriteNumberValue(ticks / (double)Stopwatch.Frequency);
        json.WriteEndArray();
        WriteRow(json, "total", profile.Total, profile.Total);
        json.WriteStartArray("operations");
        foreach (var (name, sum) in profile.Operations) WriteNamed(json, "name", name, sum, profile.Total);
        json.WriteEndArray();
        WriteRow(json, "between_operations", profile.OutsideOperations, profile.Total);
        json.WriteStartArray("phases");
        foreach (var phase in profile.Phases) WriteNamed(json, "path", phase.Path, phase.Sum, profile.Total);
        json.WriteEndArray();
        WriteRow(json, "between_phases", profile.OutsidePhases, profile.Total);
        WriteLayers(json, profile);
        json.WriteEndObject();
    }

    private static void WriteLimits(Utf8JsonWriter json, DeviceLimits? limits)
    {
        if (limits is null)
        {
            json.WriteNull("limits");
            return;
        }

        json.WriteStartObject("limits");
        json.WriteNumber("gflops", limits.Gflops);
        json.WriteNumber("gigabytes_per_second", limits.GigabytesPerSecond);
        json.WriteEndObject();
    }

    /// <summary>One object for each layer and outermost phase; <c>layer</c> null is what belongs to none.</summary>
    private static void WriteLayers(Utf8JsonWriter json, Profile profile)
    {
        json.WriteStartArray("layers");
        foreach (var (layer, byPhase) in profile.Layers) WriteLayer(json, layer, byPhase, profile.Total);
        WriteLayer(json, null, profile.OutsideLayers, profile.Total);
        json.WriteEndArray();
    }

    private static void WriteLayer(Utf8JsonWriter json, int? layer, Dictionary<string, ProfileSum> byPhase, ProfileSum total)
    {
        foreach (var (phase, sum) in byPhase)
        {
            json.WriteStartObject();
            if (layer is { } number) json.WriteNumber("layer", number);
            else json.WriteNull("layer");
            if (phase.Length > 0) json.WriteString("phase", phase);
            else json.WriteNull("phase");
            WriteSum(json, sum, total);
            json.WriteEndObject();
        }
    }

    private static void WriteNamed(Utf8JsonWriter json, string key, string name, ProfileSum sum, ProfileSum total)
    {
        json.WriteStartObject();
        json.WriteString(key, name);
        json.WriteNumber("calls", sum.Calls);
        WriteSum(json, sum, total);
        json.WriteEndObject();
    }

    private static void WriteRow(Utf8JsonWriter json, string key, ProfileSum sum, ProfileSum total)
    {
        json.WriteStartObject(key);
        WriteSum(json, sum, total);
        json.WriteEndObject();
    }

    private static void WriteSum(Utf8JsonWriter json, ProfileSum sum, ProfileSum total)
    {
        json.WriteNumber("seconds", sum.Seconds);
        json.WriteNumber("share", sum.Ticks / (double)Math.Max(1, total.Ticks));
        json.WriteNumber("flops", sum.Cost.Flops);
        json.WriteNumber("bytes_needed", sum.Cost.Bytes);
        WriteKnown(json, "bytes_moved", sum.Moved);
        WriteKnown(json, "bytes_missed", sum.Missed);
        json.WriteNumber("work_seconds", sum.WorkTicks / (double)Stopwatch.Frequency);
        json.WriteNumber("gflops", sum.Gflops);
        json.WriteNumber("gigabytes_per_second", sum.GigabytesPerSecond);
        if (sum.Roofline is { } roofline) json.WriteNumber("roofline", roofline);
        else json.WriteNull("roofline");
    }

    /// <summary>Null where nothing was told.</summary>
    private static void WriteKnown(Utf8JsonWriter json, string name, double bytes)
    {
        if (bytes > 0) json.WriteNumber(name, bytes);
        else json.WriteNull(name);
    }
}
