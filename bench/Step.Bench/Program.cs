using System.CommandLine;
using System.Globalization;
using RepNoise.Bench;
using RepNoise.Bench.Step;
using RepNoise.Kernels.Cpu;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
if (args is ["--child", var jobFile])
{
    OurSide.Serve(Job.Read(jobFile));
    return 0;
}

var json = new Option<FileInfo>("--json") { Required = true, Description = "The results, one object a line; a Markdown table goes beside it." };
var shapes = new Option<string>("--shapes") { DefaultValueFactory = _ => string.Join(',', Shape.Names), Description = "Which shapes to run." };
var settings = new Option<string>("--settings") { DefaultValueFactory = _ => string.Join(',', Peer.Settings), Description = "Which of the peer's settings." };
var threads = new Option<int>("--threads") { DefaultValueFactory = _ => Environment.ProcessorCount, Description = "Threads of either side." };
var quick = new Option<bool>("--quick") { Description = "Three timed steps a pair." };
var kernel = new Option<string[]>("--kernel") { Description = "A kernel variant of our side, FAMILY=VARIANT; may be repeated." };
kernel.Validators.Add(result =>
{
    try
    {
        OurKernels.Read(result.Tokens.Select(token => token.Value));
    }
    catch (ArgumentException wrong)
    {
        result.AddError($"--kernel: {wrong.Message}");
    }
});
settings.AcceptOnlyFromAmongList(Peer.Settings);
shapes.AcceptOnlyFromAmongList(Shape.Names);
var command = new RootCommand("A training step against libtorch's, in turns; losses are compared before anything is timed.") { json, shapes, settings, threads, quick, kernel };
command.SetAction(parsed =>
{
    string root = Root(), folder = Directory.CreateTempSubdirectory("step-bench-").FullName;
    try
    {
        parsed.GetValue(json)!.Directory!.Create(); // before anything is measured
        List<(Row, Row)> pairs = [];
        string[] names = parsed.GetValue(shapes)!.Split(',');
        var kernels = OurKernels.Read(parsed.GetValue(kernel) ?? []);
        var scaling = names.Contains(Shape.Scaling) ? Scale(folder, parsed.GetValue(threads), kernels, parsed.GetValue(quick)) : null;
        Results.Write(parsed.GetValue(json)!.FullName, root, pairs, scaling);
        names = [.. names.Except([Shape.Scaling])];
        var peer = names.Length > 0 ? new Peer(root) : null;
        var jobs = names.SelectMany(name => Shape.Jobs(name, parsed.GetValue(threads), folder));
        foreach (var (shape, plain) in jobs)
        {
            var job = plain with { Kernels = kernels };
            string file = Path.Combine(folder, shape + ".json");
            job.Write(file);
            if (job.Product is { } product) OurSide.WriteOperands(job, product);
            else OurSide.WriteTensors(job);
            foreach (string setting in parsed.GetValue(settings)!.Split(',').Where(setting => job.Product is null || setting != "lean"))
            {
                using var ours = new Child(Environment.ProcessPath!, ["--child", file], new Dictionary<string, string>());
                using var theirs = peer!.Start(file, setting);
                pairs.Add(Duel.Run(shape, setting, OurKernels.Name(kernels), Peer.Side(setting), job.Threads, ours, theirs, parsed.GetValue(quick)));
                Results.Write(parsed.GetValue(json)!.FullName, root, pairs, scaling); // after every pair: a run that is cut short keeps what it has
            }

            File.Delete(job.Tensors);
        }

        Console.Write(File.ReadAllText(Path.ChangeExtension(parsed.GetValue(json)!.FullName, ".md")));
        return 0;
    }
    catch (Exception error) when (error is InvalidOperationException or IOException)
    {
        Console.Error.WriteLine(error.Message);
        return 1;
    }
    finally
    {
        Directory.Delete(folder, recursive: true);
    }
});
return command.Parse(args).Invoke();

static Scaling Scale(string folder, int threads, Dictionary<string, string> kernels, bool quick)
{
    var (shape, job) = Shape.Jobs(Shape.Scaling, threads, folder).Single();
    job = job with { Kernels = kernels };
    OurSide.WriteTensors(job);
    string one = Path.Combine(folder, "one.json"), all = Path.Combine(folder, "all.json");
    (job with { Threads = 1 }).Write(one);
    job.Write(all);
    using var alone = new Child(Environment.ProcessPath!, ["--child", one], new Dictionary<string, string>());
    using var together = new Child(Environment.ProcessPath!, ["--child", all], new Dictionary<string, string>());
    var scaling = Scaling.Run(shape, OurKernels.Name(kernels), threads, alone, together, MachineLimits.MeasureMultiplyAdds, quick);
    File.Delete(job.Tensors);
    return scaling;
}

static string Root()
{
    var folder = new DirectoryInfo(AppContext.BaseDirectory);
    while (!File.Exists(Path.Combine(folder.FullName, "RepNoise.sln"))) folder = folder.Parent!;
    return folder.FullName;
}

internal static class ListOptions
{
    /// <summary>Refuses a comma-separated list with a name outside <paramref name="names"/>.</summary>
    public static void AcceptOnlyFromAmongList(this Option<string> option, string[] names) => option.Validators.Add(result =>
    {
        foreach (string name in (result.GetValueOrDefault<string>() ?? "").Split(','))
            if (!names.Contains(name)) result.AddError($"{option.Name}: there is no {name}; choose from {string.Join(", ", names)}");
    });
}
