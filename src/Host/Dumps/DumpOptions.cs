using RepNoise.Host.Configuration;
using RepNoise.Host.Diagnostics;
using RepNoise.Kernels;

namespace RepNoise.Host.Dumps;

/// <summary>What is dumped, and where.</summary>
/// <param name="Folder">The folder that takes the files.</param>
/// <param name="Steps">Whose tensors.</param>
/// <param name="Parts">Which of them; none for all.</param>
public sealed record DumpOptions(string Folder, StepRanges Steps, IReadOnlyList<DumpPart> Parts)
{
    internal const string TensorsHelp = "Write the tensors of the steps in dump_steps to this new folder, as safetensors with an index.";
    internal const string StepsHelp = "Steps that are dumped: numbers and ranges from 1, such as 1,10-12.";
    internal const string PartsHelp = "Dump only this part; may be repeated. Everything where not given.";

    /// <summary>What a run asks for, or null where it asks for no dump.</summary>
    internal static DumpOptions? Of(TrainingRun run) =>
        run.DumpTensors is null ? null : new DumpOptions(run.DumpTensors, run.DumpSteps, run.DumpParts);

    /// <summary>Refuses a folder that holds something, before a run costs time.</summary>
    /// <exception cref="InputException">The folder is a file, is not empty or cannot be read.</exception>
    public void CheckFolder()
    {
        if (File.Exists(Folder)) throw Refuse("is a file");
        if (Directory.Exists(Folder) && Directory.EnumerateFileSystemEntries(Folder).FirstOrDefault() is { } entry)
            throw Refuse($"already holds {Path.GetFileName(entry)}");
    }

    /// <summary>Begins to watch a device.</summary>
    public TensorDump Attach(Device device) => new(device, this);

    private InputException Refuse(string problem) => new(Folder, problem, "a new or empty folder for tensors", "name another folder, or remove what is there");
}
