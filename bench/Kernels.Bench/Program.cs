// Every operation of the engine at the shapes of several models: `repnoise bench` with its results kept under bench/results/<cpu>/.
// Options are those of `repnoise bench`; --json names another place.
using System.Text;
using RepNoise.Kernels.Cpu;

string[] place = args.Any(argument => argument.Split('=', ':')[0] is "--json" or "--help" or "-h" or "-?") ? [] : ["--json", ResultFile()];
return RepNoise.Host.Program.Main(["bench", .. args, .. place]);

static string ResultFile()
{
    var folder = new DirectoryInfo(AppContext.BaseDirectory);
    while (!File.Exists(Path.Combine(folder.FullName, "RepNoise.sln")))
        folder = folder.Parent ?? throw new InvalidOperationException("RepNoise.sln is in no folder above the program; give --json");
    return Path.Combine(folder.FullName, "bench", "results", FolderName(CpuDevice.ProcessorName()), "kernels.jsonl");
}

// "Intel(R) Xeon(R) Processor" becomes intel-r-xeon-r-processor.
static string FolderName(string processor)
{
    var name = new StringBuilder();
    foreach (char letter in processor.ToLowerInvariant())
    {
        if (char.IsAsciiLetterOrDigit(letter)) name.Append(letter);
        else if (name.Length > 0 && name[^1] != '-') name.Append('-');
    }

    return name.ToString().TrimEnd('-');
}
