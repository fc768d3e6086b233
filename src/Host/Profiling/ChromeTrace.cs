using System.Diagnostics;
using System.Text.Json;
using RepNoise.Host.Model;
using RepNoise.Kernels;

namespace RepNoise.Host.Profiling;

/// <summary>
/// A timeline in Chrome's trace format (JSON object with <c>traceEvents</c>), which ui.perfetto.dev and chrome://tracing open. One
/// track each for steps, phases, layers and operations, within which slices nest; and one for each thread of the device, with the
/// operations it worked for. Counters show memory.
/// </summary>
internal static class ChromeTrace
{
    private const int Process = 1;
    private const int FlushBytes = 1 << 20;
    private static readonly string[] Tracks = ["steps", "phases", "layers", "operations"];

    /// <summary>Writes what a recorder holds.</summary>
    /// <param name="stream">Takes the JSON.</param>
    /// <param name="recorder">Whole steps.</param>
    /// <param name="limits">Of the device, for each operation's share of its roofline; or null.</param>
    /// <param name="process">What the timeline is of.</param>
    public static void Write(Stream stream, ProfileRecorder recorder, DeviceLimits? limits, string process)
    {
        using var json = new Utf8JsonWriter(stream);
        json.WriteStartObject();
        json.WriteString("displayTimeUnit", "ms");
        json.WriteStartArray("traceEvents");
        int threads = 0;
        foreach (ref readonly var span in recorder.Work) threads = Math.Max(threads, span.Worker + 1);
        WriteNames(json, process, threads);
        var events = recorder.Events;
        long zero = recorder.Samples.Length > 0 ? recorder.Samples[0].Time : 0;
        foreach (ref readonly var item in events)
        {
            WriteSlice(json, item.Name, item.Index, Track(item), item.Begin - zero, item.End - item.Begin);
            if (item.IsOperation) WriteCost(json, item, limits, recorder.CountsMisses);
            json.WriteEndObject();
            if (json.BytesPending > FlushBytes) json.Flush();
        }

        foreach (ref readonly var span in recorder.Work)
        {
            WriteSlice(json, events[span.Event].Name, -1, Tracks.Length + span.Worker, span.Begin - zero, span.End - span.Begin);
            json.WriteEndObject();
            if (json.BytesPending > FlushBytes) json.Flush();
        }

        foreach (ref readonly var sample in recorder.Samples) WriteMemory(json, sample, zero);
        json.WriteEndArray();
        json.WriteEndObject();
    }

    private static void WriteNames(Utf8JsonWriter json, string process, int threads)
    {
        WriteMetadata(json, "process_name", 0, "name", process);
        string[] tracks = [.. Tracks, .. Enumerable.Range(0, threads).Select(thread => $"thread {thread}")];
        for (int track = 0; track < tracks.Length; track++)
        {
            WriteMetadata(json, "thread_name", track + 1, "name", tracks[track]);
            WriteMetadata(json, "thread_sort_index", track + 1, "sort_index", track + 1);
        }
    }

    private static void WriteMetadata(Utf8JsonWriter json, string name, int track, string key, object value)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("ph", "M");
        json.WriteNumber("pid", Process);
        json.WriteNumber("tid", track);
        json.WriteStartObject("args");
        if (value is int number) json.WriteNumber(key, number);
        else json.WriteString(key, (string)value);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    /// <summary>Opens the object of a slice; the caller closes it.</summary>
    private static void WriteSlice(Utf8JsonWriter json, string name, int index, int track, long begin, long ticks)
    {
        json.WriteStartObject();
        json.WriteString("name", index < 0 ? name : $"{name} {index}");
        json.WriteString("ph", "X");
        json.WriteNumber("pid", Process);
        json.WriteNumber("tid", track + 1);
        json.WriteNumber("ts", Microseconds(begin));
        json.WriteNumber("dur", Microseconds(ticks));
    }

    private static void WriteCost(Utf8JsonWriter json, in ProfileEvent item, DeviceLimits? limits, bool countsMisses)
    {
        double seconds = (item.End - item.Begin) / (double)Stopwatch.Frequency;
        json.WriteStartObject("args");
        json.WriteNumber("flops", item.Cost.Flops);
        json.WriteNumber("bytes_needed", item.Cost.Bytes);
        if (item.Moved > 0) json.WriteNumber("bytes_moved", item.Moved);
        if (countsMisses) json.WriteNumber("bytes_missed", item.Missed);
        if (seconds > 0)
        {
            json.WriteNumber("gflops", Math.Round(item.Cost.Flops / seconds / 1e9, 3));
            json.WriteNumber("gigabytes_per_second", Math.Round(item.Cost.Bytes / seconds / 1e9, 3));
            if (limits is not null) json.WriteNumber("roofline", Math.Round(limits.LeastSeconds(item.Cost) / seconds, 4));
        }

        json.WriteEndObject();
    }

    private static void WriteMemory(Utf8JsonWriter json, in MemorySample sample, long zero)
    {
        WriteCounter(json, "device buffers", sample.Time - zero, sample.DeviceBytes);
        WriteCounter(json, "managed heap", sample.Time - zero, sample.ManagedBytes);
        if (sample.ResidentBytes > 0) WriteCounter(json, "resident", sample.Time - zero, sample.ResidentBytes);
    }

    private static void WriteCounter(Utf8JsonWriter json, string name, long ticks, long bytes)
    {
        json.WriteStartObject();
        json.WriteString("name", name);
        json.WriteString("ph", "C");
        json.WriteNumber("pid", Process);
        json.WriteNumber("ts", Microseconds(ticks));
        json.WriteStartObject("args");
        json.WriteNumber("bytes", bytes);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    private static int Track(in ProfileEvent item) => item.IsOperation ? 3 : item.Name switch
    {
        Phase.Step or Phase.MicroBatch => 0,
        Phase.Layer => 2,
        _ => 1,
    };

    /// <summary>Exact, so that a slice's end never passes the end of the one around it.</summary>
    private static decimal Microseconds(long ticks) => ticks * 1_000_000m / Stopwatch.Frequency;
}
